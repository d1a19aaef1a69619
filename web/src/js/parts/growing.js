// A list that shows its first rows, and a button for more.

import { button, h } from "../dom.js";
import { t } from "../words.js";

const STEP = 50; // rows that the button adds

/**
 * @param {HTMLElement} list
 * @param {HTMLElement[]} rows
 * @param {number} shown how many are visible at first
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
    // The focus moves to the first new row.
    const target = first.querySelector("button") ?? first;
    if (target === first) first.tabIndex = -1;
    target.focus();
  }

  return h("div", { class: "growing" }, list, more);
}
