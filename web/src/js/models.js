// Choice of the model, and of a second model to compare it with.

import { fill, h } from "./dom.js";
import { get, on, set } from "./store.js";
import { t } from "./words.js";

/** @param {HTMLElement} container */
export function showModels(container) {
  function draw() {
    const { models, model, other } = get();
    const names = models.map((candidate) => candidate.name);
    const focused = document.activeElement?.id; // drawing again must not lose the focus
    fill(
      container,
      picker("model-first", t("model"), names.map((name) => [name, name]), model, (name) =>
        set({ model: name, other: name === get().other ? null : get().other }),
      ),
      names.length > 1
        ? picker(
            "model-other",
            t("compareWith"),
            [["", t("compareWithNone")], ...names.filter((name) => name !== model).map((name) => [name, name])],
            other ?? "",
            (name) => set({ other: name || null }),
          )
        : null,
    );
    if (focused?.startsWith("model-")) document.getElementById(focused)?.focus();
  }

  draw();
  on(["models", "model", "other", "language"], draw);
}

/**
 * @param {string} id
 * @param {string} label
 * @param {string[][]} options pairs of a value and its text
 * @param {string} chosen
 * @param {(value: string) => void} changed
 */
function picker(id, label, options, chosen, changed) {
  const select = h(
    "select",
    { id, on: { change: () => changed(options[select.selectedIndex][0]) } },
    options.map(([value, text]) => h("option", { value, selected: value === chosen }, text)),
  );
  return h("div", { class: "picker" }, h("label", { for: id }, label), select);
}
