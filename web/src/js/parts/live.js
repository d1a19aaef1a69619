// Announces changes to screen readers.

import { byId, h } from "../dom.js";

const KEPT = 8_000; // ms until an announcement is removed

/**
 * Announce a text. Announcements shortly after each other are all read.
 *
 * @param {string} text
 */
export function announce(text) {
  const line = h("p", {}, text);
  byId("live").append(line);
  setTimeout(() => line.remove(), KEPT);
}
