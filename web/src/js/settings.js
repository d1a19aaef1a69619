// The language and the colours.

import { fill, h, icon } from "./dom.js";
import { remember } from "./remember.js";
import { get, on, set } from "./store.js";
import { LANGUAGES, speak, t } from "./words.js";

const THEMES = /** @type {const} */ ([
  ["", "themeSystem", "screen"],
  ["light", "themeLight", "sun"],
  ["dark", "themeDark", "moon"],
]);

/** @param {HTMLElement} place */
export function showSettings(place) {
  function draw() {
    fill(place, languages(), themes());
  }

  draw();
  on(["language"], () => {
    const held = document.activeElement;
    const id = held && place.contains(held) ? held.id : "";
    draw();
    if (id) document.getElementById(id)?.focus();
  });
}

function languages() {
  return radios(
    "language",
    t("language"),
    LANGUAGES.map(([value, word]) => ({ value, name: word, content: h("span", { lang: value }, word) })),
    get().language,
    (value) => {
      const language = /** @type {import("./words.js").Language} */ (value);
      remember("language", language);
      speak(language);
      set({ language });
    },
  );
}

function themes() {
  const page = document.documentElement;
  return radios(
    "theme",
    t("theme"),
    THEMES.map(([value, word, picture]) => ({ value, name: t(word), content: icon(picture) })),
    page.dataset.theme ?? "",
    (value) => {
      if (value) page.dataset.theme = value;
      else delete page.dataset.theme;
      remember("theme", value || null);
      page.dispatchEvent(new Event("themechange")); // the map is painted anew
    },
  );
}

/**
 * A few choices in a row, of which one holds.
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
    h("legend", { class: "unseen" }, label),
    choices.map((one) =>
      h(
        "label",
        { title: one.name },
        h("input", {
          type: "radio",
          name,
          id: `${name}-${one.value || "system"}`,
          "aria-label": one.name,
          value: one.value,
          checked: one.value === chosen,
          on: { change: () => changed(one.value) },
        }),
        one.content,
      ),
    ),
  );
}
