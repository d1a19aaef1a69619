// A history: items that are found by searching and added one by one.

import { findItems, learnTitles, titleOf } from "../catalogue.js";
import { button, fill, h } from "../dom.js";
import { combobox } from "../parts/combobox.js";
import { announce } from "../parts/live.js";
import { chip } from "../parts/values.js";
import { get, on, set } from "../store.js";
import { t } from "../words.js";

/** @typedef {import("../types.js").Id} Id */
/** @typedef {import("../types.js").Item} Item */

/**
 * Add an item to the end of the history.
 *
 * @param {Id} id
 */
export function addToHistory(id) {
  set({ history: [...get().history.filter((item) => item !== id), id] });
  announce(t("addedToHistory", titleOf(id)));
}

export function makeChosen() {
  const search = h("div");
  const chips = historyChips(() => t("history"), () => t("historyEmpty"));

  function draw() {
    const box = combobox({
      label: t("findItem"),
      hint: t("findItemHint"),
      none: t("noItems"),
      find: findItems,
      show: (/** @type {Item} */ hit) => [hit.title, t("itemHit", hit.interactions)],
      pick: (hit) => addToHistory(hit.item_id),
    });
    fill(search, box.element);
  }

  draw();
  on(["language"], draw);
  return h("div", { class: "panel" }, search, chips);
}

/**
 * The items of the history, with buttons to remove them.
 *
 * @param {() => string} title
 * @param {(() => string) | null} none text for an empty history; null: nothing is shown
 */
export function historyChips(title, none) {
  const container = h("div", { class: "history" });

  async function draw() {
    const { history } = get();
    show(history);
    await learnTitles(history);
    if (get().history === history) show(history);
  }

  /** @param {Id[]} history */
  function show(history) {
    if (!history.length) {
      fill(container, none ? h("p", { class: "quiet" }, none()) : null);
      return;
    }
    const name = title();
    const chips = history.map((id) => chip(titleOf(id), () => remove(id)));
    fill(
      container,
      h("h3", {}, name),
      h("ol", { class: "chips", role: "list", "aria-label": name }, chips),
      button(t("historyClear"), () => set({ history: [] }), { class: "link quiet" }),
    );
  }

  /** @param {Id} id */
  function remove(id) {
    const at = get().history.indexOf(id);
    set({ history: get().history.filter((item) => item !== id) });
    announce(t("removed", titleOf(id)));
    const left = container.querySelectorAll("button");
    left[Math.min(at, left.length - 1)]?.focus();
  }

  draw();
  on(["history", "language"], draw);
  return container;
}
