// Reads a line of a résumé, in Korean or English: salaries, years of work, dates, degrees.

import { fieldName } from "../format.js";
import { fold } from "../parts/values.js";

/** @typedef {import("../types.js").Field} Field */

const SALARY = /salary|wage|연봉|급여/;
const WANTED = /want|hope|expect|희망/;
const LAST = /last|previous|current|직전|최종|현재/;
const WORK = /career|experience|months of work|years of work|경력/;
const MONTHS = /month|개월/;
const GRADUATION = /graduat|졸업/;
const DATE = /(\d{4})\s*[-./년]\s*(\d{1,2})\s*[-./월]\s*(\d{1,2})/;
const TEN_THOUSAND = 10_000; // won: the unit of salaries on Korean boards
/** Words for degrees, from low to high: every word of a row means the same. */
const DEGREES = [
  ["high school", "고졸", "고등학교 졸업"],
  ["associate", "전문학사", "전문대", "초대졸"],
  ["bachelor", "학사", "대졸", "대학교 졸업", "4년제"],
  ["master", "석사"],
  ["doctor", "phd", "박사"],
];

/**
 * What a field would take from a line; undefined: nothing.
 *
 * @param {Field} field
 * @param {string} line
 * @returns {any}
 */
export function fromLine(field, line) {
  const name = fold(`${field.name.replaceAll("_", " ")} ${fieldName(field.name)}`);
  const text = fold(line);
  if (field.kind === "number") {
    if (SALARY.test(name)) return SALARY.test(text) && suits(name, text) ? salary(text, field) : undefined;
    if (WORK.test(name)) return WORK.test(text) || /신입/.test(text) ? work(text, MONTHS.test(name)) : undefined;
    if (GRADUATION.test(name)) return GRADUATION.test(text) ? graduation(text) : undefined;
  }
  if (field.kind === "date") {
    const words = fold(fieldName(field.name)).split(/\s+/);
    return words.some((word) => text.includes(word)) ? dateIn(text) : undefined;
  }
  return undefined;
}

/**
 * A date in a text, as ISO.
 *
 * @param {string} text
 */
export function dateIn(text) {
  const [, year, month, day] = DATE.exec(text) ?? [];
  return year === undefined ? undefined : `${year}-${month.padStart(2, "0")}-${day.padStart(2, "0")}`;
}

/**
 * The words that mean a label: those of its degree, or the label.
 *
 * @param {string} label
 * @returns {string[]} and how high the degree is, by the position in DEGREES
 */
export function wordsFor(label) {
  const row = DEGREES.find((words) => words.some((word) => fold(label).includes(word)));
  return row ? [label, ...row] : [label];
}

/** @param {string} label */
export function height(label) {
  return DEGREES.findIndex((words) => words.some((word) => fold(label).includes(word)));
}

/** Whether a line speaks of the salary of a field: the wanted or the last one. @param {string} name @param {string} text */
function suits(name, text) {
  if (WANTED.test(name)) return !LAST.test(text);
  return LAST.test(name) ? LAST.test(text) : true;
}

/** @param {string} text @param {Field} field */
function salary(text, field) {
  const [, digits, unit = ""] = /(\d[\d,.]*)\s*(만\s*원?|억|원)?/.exec(text) ?? [];
  if (digits === undefined) return undefined;
  const written = Number(digits.replaceAll(",", ""));
  const won = unit.startsWith("만") ? written * TEN_THOUSAND : unit === "억" ? written * TEN_THOUSAND ** 2 : written;
  if (!unit) return written;
  return Number(field.max) < 100 * TEN_THOUSAND ? won / TEN_THOUSAND : won;
}

/** @param {string} text @param {boolean} inMonths */
function work(text, inMonths) {
  const years = /(\d[\d,]*(?:\.\d+)?)\s*(?:년(?!\s*제)|years?|yrs?)/.exec(text)?.[1].replaceAll(",", "");
  const months = /(\d[\d,]*)\s*(?:개월|months?)/.exec(text)?.[1].replaceAll(",", "");
  if (years === undefined && months === undefined) return /신입/.test(text) ? 0 : undefined;
  const all = 12 * Number(years ?? 0) + Number(months ?? 0);
  return inMonths ? Math.round(all) : all / 12;
}

/** The year of a graduation: the last year of the line. @param {string} text */
function graduation(text) {
  const year = text.match(/(?:19|20)\d\d/g)?.at(-1);
  return year === undefined ? undefined : Number(year);
}
