// Formats numbers, field names and values.

import { currentLanguage, t } from "./words.js";

/** @typedef {import("./types.js").Field} Field */

/**
 * A score or a contribution, with as many decimals as the largest of its column needs for three digits.
 *
 * @param {number} value
 * @param {number} [largest] in magnitude, of the column
 * @param {boolean} [signed]
 */
export function amount(value, largest = value, signed = false) {
  const size = Math.abs(largest);
  const small = size > 0 && size < 1e-4;
  const decimals = small || !size ? 2 : Math.max(0, 2 - Math.floor(Math.log10(size)));
  return new Intl.NumberFormat(currentLanguage(), {
    maximumFractionDigits: decimals,
    minimumFractionDigits: decimals,
    notation: small ? "scientific" : "standard",
    signDisplay: signed ? "exceptZero" : "negative",
  }).format(value);
}

/** @type {Map<string, Field>} the fields of the model, by name */
const described = new Map();
const SEPARATED = 100_000; // numbers from here on have thousands separators

/**
 * Remember what fields and their values are called.
 *
 * @param {Field[]} fields
 */
export function learnFields(fields) {
  for (const field of fields) described.set(field.name, field);
}

/**
 * The label of a field, or its name with spaces for underscores.
 *
 * @param {string} name
 */
export function fieldName(name) {
  return described.get(name)?.label ?? (name.replaceAll("_", " ").trim() || name);
}

/**
 * A value of a field, by its label if it has one. Only numbers from 100,000 on have thousands
 * separators: smaller ones may be years or codes.
 *
 * @param {any} value
 * @param {string} [field] its name
 * @returns {string}
 */
export function valueText(value, field) {
  const label = field === undefined ? undefined : described.get(field)?.labels?.[String(value)];
  if (label !== undefined && !Array.isArray(value)) return label;
  if (value === null || value === undefined) return t("notKnown");
  if (value === true) return t("yes");
  if (value === false) return t("no");
  if (Array.isArray(value)) return value.map((part) => valueText(part, field)).join(", ");
  if (typeof value === "object") {
    return Object.entries(value).map(([name, part]) => `${fieldName(name)} ${valueText(part)}`).join(", ");
  }
  if (typeof value === "number" && !Number.isInteger(value)) {
    return String(Number(value.toPrecision(6)));
  }
  if (typeof value === "number" && Math.abs(value) >= SEPARATED) return value.toLocaleString(currentLanguage());
  const date = /^(\d{4}-\d\d-\d\d)T(\d\d:\d\d)/.exec(String(value));
  if (date) return date[2] === "00:00" ? date[1] : `${date[1]} ${date[2]}`;
  return String(value);
}

/**
 * A number in a few letters, for hints: 24M, 2400만.
 *
 * @param {number} value
 */
export function shortNumber(value) {
  if (Math.abs(value) < SEPARATED) return valueText(value);
  return value.toLocaleString(currentLanguage(), { notation: "compact", maximumSignificantDigits: 3 });
}

/** @param {any} value */
export function isEmpty(value) {
  return value === null || value === undefined || value === "" || (Array.isArray(value) && !value.length);
}
