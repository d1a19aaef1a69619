// The parts of a score, as bars: to the right for the item, to the left against it.

import { h } from "../dom.js";
import { amount } from "../format.js";
import { growing } from "../parts/growing.js";
import { t } from "../words.js";

/** @typedef {import("../types.js").Reason} Reason */

const SHOWN = 6;

/**
 * @param {number} score
 * @param {Reason[]} parts the largest first
 */
export function reasonList(score, parts) {
  if (!parts.length) return h("p", { class: "quiet" }, t("noReasons"));
  const largest = Math.max(...parts.map((part) => Math.abs(part.amount))) || 1;
  const both = parts.some((part) => part.amount < 0);
  const rows = parts.map((part) => row(part, largest, both));
  const list = h("ul", { class: "reasons", role: "list", "aria-label": t("reasonsOf", amount(score)) });
  return growing(list, rows, SHOWN);
}

/**
 * @param {Reason} part
 * @param {number} largest
 * @param {boolean} both whether some parts are negative
 */
function row(part, largest, both) {
  const bar = h("span", { class: part.amount < 0 ? "part against" : "part" });
  bar.style.setProperty("--share", String(Math.abs(part.amount) / largest));
  const kinds = /** @type {any} */ (t("kinds"));
  return h(
    "li",
    {},
    h("span", { class: "reason" }, part.label, " ", h("span", { class: "kind" }, kinds[part.kind] ?? part.kind)),
    h("span", { class: both ? "parts both" : "parts", "aria-hidden": "true" }, bar),
    h("span", { class: "number" }, amount(part.amount, largest, true)),
  );
}
