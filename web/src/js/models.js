// Which model lists, and which one beside it.

import { fill, h } from "./dom.js";
import { get, on, set } from "./store.js";
import { t } from "./words.js";

/** @param {HTMLElement} place */
export function showModels(place) {
  function draw() {
    const { models, model, other } = get();
    const names = models.map((one) => one.name);
    const held = document.activeElement?.id; // drawing anew must not take the focus away
    fill(
      place,
      picker("model-first", t("model"), names.map((name) => [name, name]), model, (name) =>
        set({ model: name, other: name === get().other ? null : get().other }),
      ),
      names.length > 1
        ? picker(
            "model-other",
            t("beside"),
            [["", t("nothingBeside")], ...names.filter((name) => name !== model).map((name) => [name, name])],
            other ?? "",
            (name) => set({ other: name || null }),
          )
        : null,
    );
    if (held?.startsWith("model-")) document.getElementById(held)?.focus();
  }

  draw();
  on(["models", "model", "other", "language"], draw);
}

/**
 * @param {string} id
 * @param {string} label
 * @param {string[][]} options their values and words
 * @param {string} chosen
 * @param {(value: string) => void} changed
 */
function picker(id, label, options, chosen, changed) {
  const select = h(
    "select",
    { id, on: { change: () => changed(options[select.selectedIndex][0]) } },
    options.map(([value, word]) => h("option", { value, selected: value === chosen }, word)),
  );
  return h("div", { class: "picker" }, h("label", { for: id }, label), select);
}
