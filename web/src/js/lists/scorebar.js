// A score: a bar and a number.

import { h } from "../dom.js";
import { amount } from "../format.js";
import { t } from "../words.js";

/**
 * The scale of the bars. It starts at 0, or at the lowest score if that is negative.
 *
 * @param {{score: number}[]} listed
 * @returns {(score: number) => number} the length of a bar, from 0 to 1
 */
export function scale(listed) {
  const scores = listed.map((item) => item.score);
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
    h("span", { class: "visually-hidden" }, t("score"), " "),
    h("span", { class: "number" }, amount(score)),
  );
}
