// Tells a screen reader what changed elsewhere on the page.

import { byId, h } from "../dom.js";

const KEPT = 8_000; // ms that something can be read

/**
 * Say something. What is said is added to what was said just before, and does not replace it.
 *
 * @param {string} text
 */
export function announce(text) {
  const line = h("p", {}, text);
  byId("live").append(line);
  setTimeout(() => line.remove(), KEPT);
}
