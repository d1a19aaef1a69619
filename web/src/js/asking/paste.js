// From a pasted text to values for the form. Only what is plain to see is taken:
//  - a JSON object whose names are fields,
//  - lines like "degree: 4",
//  - and values the data has, where they stand in the text as words.

import { fieldName } from "../format.js";
import { fold } from "../parts/values.js";

/** @typedef {import("../types.js").Field} Field */

const LINE = /^\s*[-*•]?\s*([^:=：]{1,60}?)\s*[:=：]\s*(.+?)\s*$/;
const MOST = 20; // values of a list found in running text
const LONG = 80; // letters from which a text is worth a free-text field

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
    const hits = wordsOf(field).filter((word) => stands(searched, fold(word)));
    if (!hits.length) continue;
    // Of a category the longest name says the most: "civil engineer" and not "engineer".
    const longest = hits.reduce((one, other) => (other.length > one.length ? other : one));
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
    const [, name, said] = LINE.exec(line) ?? [];
    const field = name === undefined ? undefined : byName.get(fold(name));
    const value = field && valueOf(field, said);
    if (field && value !== undefined) found[field.name] = value;
  }
  return found;
}

/**
 * @param {Field} field
 * @param {string} said
 */
function valueOf(field, said) {
  const known = new Map((field.values ?? []).map((one) => [fold(String(one)), one]));
  switch (field.kind) {
    case "number": {
      const number = /-?\d[\d,]*(\.\d+)?/.exec(said);
      return number ? Number(number[0].replaceAll(",", "")) : undefined;
    }
    case "flag":
      return { yes: true, true: true, 1: true, 예: true, no: false, false: false, 0: false, 아니요: false }[
        fold(said)
      ];
    case "date":
      return /\d{4}-\d\d-\d\d/.exec(said)?.[0];
    case "list":
      return said.split(/[,;|]/).map((one) => one.trim()).filter(Boolean)
        .map((one) => known.get(fold(one)) ?? one); // prettier-ignore
    case "category":
      return known.get(fold(said));
    default:
      return said;
  }
}

/**
 * The values of a field that are words: codes like 3 or A7 would be found everywhere.
 *
 * @param {Field} field
 * @returns {string[]}
 */
function wordsOf(field) {
  if (field.kind !== "list" && field.kind !== "category") return [];
  return (field.values ?? []).filter(
    (one) => typeof one === "string" && (/\p{L}{3}/u.test(one) || /\p{Script=Hangul}{2}/u.test(one)),
  );
}

/**
 * Whether a word stands in a text: not inside another word, but Korean endings may follow.
 *
 * @param {string} text
 * @param {string} word
 */
function stands(text, word) {
  const korean = /\p{Script=Hangul}$/u.test(word);
  for (let at = text.indexOf(word); at >= 0; at = text.indexOf(word, at + 1)) {
    const [before, after] = [text[at - 1] ?? " ", text[at + word.length] ?? " "];
    if (!/[\p{L}\p{N}]/u.test(before) && (korean || !/[\p{L}\p{N}]/u.test(after))) return true;
  }
  return false;
}
