// A score as a bar beside its number.

import { h } from "../dom.js";
import { amount } from "../format.js";
import { t } from "../words.js";

/**
 * Where scores start: at 0, or below where some are negative.
 *
 * @param {{score: number}[]} listed
 * @returns {(score: number) => number} the share of the bar
 */
export function scale(listed) {
  const scores = listed.map((one) => one.score);
  const low = Math.min(0, ...scores);
  const high = Math.max(0, ...scores);
  return (score) => (high > low ? (score - low) / (high - low) : 0);
}

/**
 * @param {number} score
 * @param {number} share
 */
export function scoreBar(score, share) {
  const bar = h("span", { class: "score-bar", "aria-hidden": "true" }, h("span"));
  bar.style.setProperty("--share", String(share));
  return h(
    "span",
    { class: "score" },
    bar,
    h("span", { class: "unseen" }, t("score"), " "),
    h("span", { class: "number" }, amount(score)),
  );
}
