// A list that shows its first rows, and more of them when asked.

import { button, h } from "../dom.js";
import { t } from "../words.js";

const STEP = 50; // rows at a time

/**
 * @param {HTMLElement} list
 * @param {HTMLElement[]} rows
 * @param {number} shown how many are there from the start
 * @returns {HTMLElement}
 */
export function growing(list, rows, shown) {
  list.append(...rows.slice(0, shown));
  if (rows.length <= shown) return list;
  let next = shown;
  const more = button(t("more", rows.length - next), grow, { class: "link quiet" });

  function grow() {
    const first = rows[next];
    list.append(...rows.slice(next, next + STEP));
    next += STEP;
    more.textContent = t("more", rows.length - next);
    if (next >= rows.length) more.remove();
    // Reading goes on where the new rows begin.
    const target = first.querySelector("button") ?? first;
    if (target === first) first.tabIndex = -1;
    target.focus();
  }

  return h("div", { class: "growing" }, list, more);
}
