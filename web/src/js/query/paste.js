// Reads values for the form from a pasted text:
//  - from a JSON object whose names are fields,
//  - from lines like "degree: 4",
//  - from lines of a résumé: salaries, years of work, dates,
//  - and known values of the data, or their labels, that occur in the text as words.

import { fieldName } from "../format.js";
import { fold } from "../parts/values.js";
import { dateIn, fromLine, height, wordsFor } from "./resume.js";

/** @typedef {import("../types.js").Field} Field */
/** @typedef {{word: string, value: any, height: number}} Word */

const LINE = /^\s*[-*•]?\s*([^:=：]{1,60}?)\s*[:=：]\s*(.+?)\s*$/;
const MOST = 20; // values of a list that are taken from running text
const LONG = 80; // characters; shorter texts are not used for a free-text field

/**
 * @param {string} text
 * @param {Field[]} fields
 * @returns {{found: Record<string, any>, unused: string[]}} values, and the lines that gave none
 */
export function readText(text, fields) {
  const read = fromJson(text, fields);
  if (read) return { found: read, unused: [] };
  const lines = text.split("\n").map((line) => line.trim()).filter(Boolean);
  /** @type {Set<string>} */
  const used = new Set();
  const found = fromLines(lines, fields, used);
  for (const field of fields) {
    for (const line of lines) {
      if (field.name in found) break;
      const value = fromLine(field, line);
      if (value === undefined) continue;
      found[field.name] = value;
      used.add(line);
    }
  }
  for (const field of fields) {
    const words = wordsOf(field);
    const hits = words.filter(({ word }) => lines.some((line) => occurs(` ${fold(line)} `, fold(word))));
    for (const { word } of hits) {
      for (const line of lines) if (occurs(` ${fold(line)} `, fold(word))) used.add(line);
    }
    if (field.name in found || !hits.length) continue;
    found[field.name] = field.kind === "list" ? [...new Set(hits.map(({ value }) => value))].slice(0, MOST) : best(hits).value;
  }
  const free = fields.filter((field) => field.kind === "text");
  if (free.length === 1 && !(free[0].name in found) && text.trim().length >= LONG) {
    found[free[0].name] = text.trim();
    return { found, unused: [] };
  }
  return { found, unused: lines.filter((line) => !used.has(line)) };
}

/**
 * Of several categories the highest degree, or else the longest word, which is the most specific: "civil
 * engineer", not "engineer".
 *
 * @param {Word[]} hits
 */
function best(hits) {
  return hits.reduce((first, hit) =>
    hit.height > first.height || (hit.height === first.height && hit.word.length > first.word.length) ? hit : first,
  );
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
 * @param {string[]} lines
 * @param {Field[]} fields
 * @param {Set<string>} used gets the lines that gave a value
 */
function fromLines(lines, fields, used) {
  /** @type {Record<string, any>} */
  const found = {};
  const byName = new Map(
    fields.flatMap((field) => [field.name, fieldName(field.name)].map((name) => [fold(name), field])),
  );
  for (const line of lines) {
    const [, name, written] = LINE.exec(line) ?? [];
    const field = name === undefined ? undefined : byName.get(fold(name));
    const value = field && valueOf(field, written);
    if (!field || value === undefined) continue;
    found[field.name] = value;
    used.add(line);
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
      const labelled = Object.entries(field.labels ?? {}).find(([, label]) => fold(label) === fold(written));
      if (labelled) return Number(labelled[0]);
      const plain = fromLine(field, `${fieldName(field.name)} ${written}`);
      if (plain !== undefined) return plain;
      const number = /-?\d[\d,]*(\.\d+)?/.exec(written);
      return number ? Number(number[0].replaceAll(",", "")) : undefined;
    }
    case "flag":
      return { yes: true, true: true, 1: true, 예: true, no: false, false: false, 0: false, 아니요: false }[
        fold(written)
      ];
    case "date":
      return dateIn(written);
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
 * The words that stand for values of a field: their labels, or values that are words. Codes like 3 or A7
 * would be found by accident.
 *
 * @param {Field} field
 * @returns {Word[]}
 */
function wordsOf({ kind, values, labels = {} }) {
  const labelled = Object.entries(labels).flatMap(([value, label]) =>
    wordsFor(label).map((word) => ({ word, value: kind === "number" ? Number(value) : value, height: height(label) })),
  );
  const plain = kind === "list" || kind === "category" ? (values ?? []) : [];
  return [
    ...labelled,
    ...plain.filter((value) => typeof value === "string").map((value) => ({ word: value, value, height: -1 })),
  ].filter(({ word }) => /\p{L}{3}/u.test(word) || /\p{Script=Hangul}{2}/u.test(word));
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
