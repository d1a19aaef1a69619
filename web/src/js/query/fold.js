// On a narrow screen the form gives way to the list: one line says who it is for, and opens the form.

import { button, fill, h } from "../dom.js";
import { queryOf, whoText } from "../lists/query.js";
import { get, on } from "../store.js";
import { t } from "../words.js";

const NARROW = "(max-width: 59.99rem)";

/** @param {HTMLElement} section with the form and the filters */
export function foldOnPhones(section) {
  const line = h("p", { class: "folded-line" });
  section.querySelector("h2")?.after(line);

  /** @param {boolean} folded */
  function fold(folded) {
    section.classList.toggle("folded", folded);
    fill(line, folded ? [h("span", {}, whoText(get())), " ", button(t("change"), open, { class: "small" })] : null);
  }

  function open() {
    fold(false);
    /** @type {HTMLElement | null} */ (section.querySelector("[role=tab][aria-selected=true]"))?.focus();
  }

  /** A history grows item by item, so its form stays. */
  function update() {
    fold(matchMedia(NARROW).matches && get().as !== "history" && queryOf(get()) !== null);
  }

  update();
  on(["user", "features"], update);
  on(["language"], () => fold(section.classList.contains("folded")));
  matchMedia(NARROW).addEventListener("change", update);
}
