// A score: a bar and a number.

import { h } from "../dom.js";
import { amount } from "../format.js";
import { t } from "../words.js";

/** @typedef {{from: number, share: number, zero: number, largest: number}} Bar where it starts, how long it is, where 0 is, the largest score */

/**
 * The scale of the bars, which holds 0. Bars start at 0: those of scores below 0 go to the left.
 *
 * @param {{score: number}[]} listed
 * @returns {(score: number) => Bar} in shares of the width
 */
export function scale(listed) {
  const scores = listed.map((item) => item.score);
  const low = Math.min(0, ...scores);
  const high = Math.max(0, ...scores);
  const range = high > low ? high - low : 1;
  return (score) => ({
    from: (Math.min(score, 0) - low) / range,
    share: Math.abs(score) / range,
    zero: -low / range,
    largest: Math.max(high, -low),
  });
}

/**
 * @param {number} score
 * @param {Bar} bar
 */
export function scoreBar(score, { from, share, zero, largest }) {
  const kind = `score-bar${zero > 0 ? " both" : ""}${score < 0 ? " against" : ""}`;
  const bar = h("span", { class: kind, "aria-hidden": "true" }, h("span"));
  for (const [name, value] of Object.entries({ from, share, zero })) bar.style.setProperty(`--${name}`, String(value));
  return h(
    "span",
    { class: "score" },
    bar,
    h("span", { class: "visually-hidden" }, t("score"), " "),
    h("span", { class: "number" }, amount(score, largest)),
  );
}
