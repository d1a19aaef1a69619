// Reads values for the form from a pasted text:
//  - from a JSON object whose names are fields,
//  - from lines like "degree: 4",
//  - and known values of the data that occur in the text as words.

import { fieldName } from "../format.js";
import { fold } from "../parts/values.js";

/** @typedef {import("../types.js").Field} Field */

const LINE = /^\s*[-*•]?\s*([^:=：]{1,60}?)\s*[:=：]\s*(.+?)\s*$/;
const MOST = 20; // values of a list that are taken from running text
const LONG = 80; // characters; shorter texts are not used for a free-text field

/**
 * @param {string} text
 * @param {Field[]} fields
 * @returns {Record<string, any>}
 */
export function readText(text, fields) {
  const found = fromJson(text, fields) ?? fromLines(text, fields);
  const searched = ` ${fold(text)} `;
  for (const field of fields) {
    if (field.name in found) continue;
    const hits = wordsOf(field).filter((word) => occurs(searched, fold(word)));
    if (!hits.length) continue;
    // Of several categories the longest is the most specific: "civil engineer", not "engineer".
    const longest = hits.reduce((best, hit) => (hit.length > best.length ? hit : best));
    found[field.name] = field.kind === "list" ? hits.slice(0, MOST) : longest;
  }
  const free = fields.filter((field) => field.kind === "text");
  if (free.length === 1 && !(free[0].name in found) && text.trim().length >= LONG) {
    found[free[0].name] = text.trim();
  }
  return found;
}

/**
 * @param {string} text
 * @param {Field[]} fields
 */
function fromJson(text, fields) {
  if (!text.trim().startsWith("{")) return null;
  let read;
  try {
    read = JSON.parse(text);
  } catch {
    return null;
  }
  const known = fields.filter((field) => read[field.name] !== undefined && read[field.name] !== null);
  return Object.fromEntries(known.map((field) => [field.name, read[field.name]]));
}

/**
 * @param {string} text
 * @param {Field[]} fields
 */
function fromLines(text, fields) {
  /** @type {Record<string, any>} */
  const found = {};
  const byName = new Map(
    fields.flatMap((field) => [field.name, fieldName(field.name)].map((name) => [fold(name), field])),
  );
  for (const line of text.split("\n")) {
    const [, name, written] = LINE.exec(line) ?? [];
    const field = name === undefined ? undefined : byName.get(fold(name));
    const value = field && valueOf(field, written);
    if (field && value !== undefined) found[field.name] = value;
  }
  return found;
}

/**
 * @param {Field} field
 * @param {string} written
 */
function valueOf(field, written) {
  const known = new Map((field.values ?? []).map((value) => [fold(String(value)), value]));
  switch (field.kind) {
    case "number": {
      const number = /-?\d[\d,]*(\.\d+)?/.exec(written);
      return number ? Number(number[0].replaceAll(",", "")) : undefined;
    }
    case "flag":
      return { yes: true, true: true, 1: true, 예: true, no: false, false: false, 0: false, 아니요: false }[
        fold(written)
      ];
    case "date":
      return /\d{4}-\d\d-\d\d/.exec(written)?.[0];
    case "list":
      return written.split(/[,;|]/).map((part) => part.trim()).filter(Boolean)
        .map((part) => known.get(fold(part)) ?? part); // prettier-ignore
    case "category":
      return known.get(fold(written));
    default:
      return written;
  }
}

/**
 * The values of a field that are words. Codes like 3 or A7 would be found by accident.
 *
 * @param {Field} field
 * @returns {string[]}
 */
function wordsOf(field) {
  if (field.kind !== "list" && field.kind !== "category") return [];
  return (field.values ?? []).filter(
    (value) => typeof value === "string" && (/\p{L}{3}/u.test(value) || /\p{Script=Hangul}{2}/u.test(value)),
  );
}

/**
 * Whether a text contains a word: not inside another word, but Korean endings may follow it.
 *
 * @param {string} text
 * @param {string} word
 */
function occurs(text, word) {
  const korean = /\p{Script=Hangul}$/u.test(word);
  for (let at = text.indexOf(word); at >= 0; at = text.indexOf(word, at + 1)) {
    const [before, after] = [text[at - 1] ?? " ", text[at + word.length] ?? " "];
    if (!/[\p{L}\p{N}]/u.test(before) && (korean || !/[\p{L}\p{N}]/u.test(after))) return true;
  }
  return false;
}
