// Settings: the language and the colours.

import { fill, h, icon } from "./dom.js";
import { remember } from "./remember.js";
import { get, on, set } from "./store.js";
import { LANGUAGES, setLanguage, t } from "./words.js";

const THEMES = /** @type {const} */ ([
  ["", "themeSystem", "screen"],
  ["light", "themeLight", "sun"],
  ["dark", "themeDark", "moon"],
]);

/** @param {HTMLElement} container */
export function showSettings(container) {
  function draw() {
    fill(container, languages(), themes());
  }

  draw();
  on(["language"], () => {
    const focused = document.activeElement;
    const id = focused && container.contains(focused) ? focused.id : "";
    draw();
    if (id) document.getElementById(id)?.focus();
  });
}

function languages() {
  return radios(
    "language",
    t("language"),
    LANGUAGES.map(([value, name]) => ({ value, name, content: h("span", { lang: value }, name) })),
    get().language,
    (value) => {
      const language = /** @type {import("./words.js").Language} */ (value);
      remember("language", language);
      setLanguage(language);
      set({ language });
    },
  );
}

function themes() {
  const root = document.documentElement;
  return radios(
    "theme",
    t("theme"),
    THEMES.map(([value, key, picture]) => ({ value, name: t(key), content: icon(picture) })),
    root.dataset.theme ?? "",
    (value) => {
      if (value) root.dataset.theme = value;
      else delete root.dataset.theme;
      remember("theme", value || null);
      root.dispatchEvent(new Event("themechange")); // the map is painted again
    },
  );
}

/**
 * Radio buttons in a row.
 *
 * @param {string} name
 * @param {string} label
 * @param {{value: string, name: string, content: Node}[]} choices
 * @param {string} chosen
 * @param {(value: string) => void} changed
 */
function radios(name, label, choices, chosen, changed) {
  return h(
    "fieldset",
    { class: "radios" },
    h("legend", { class: "visually-hidden" }, label),
    choices.map((choice) =>
      h(
        "label",
        { title: choice.name },
        h("input", {
          type: "radio",
          name,
          id: `${name}-${choice.value || "system"}`,
          "aria-label": choice.name,
          value: choice.value,
          checked: choice.value === chosen,
          on: { change: () => changed(choice.value) },
        }),
        choice.content,
      ),
    ),
  );
}
