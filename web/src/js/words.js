// The texts of the page, in the chosen language.

import { en } from "./words/en.js";
import { ko } from "./words/ko.js";

/** @typedef {typeof en} Words */
/** @typedef {"en" | "ko"} Language */

/** @type {Record<Language, Words>} */
const WORDS = { en, ko };
/** @type {Language} */
let language = document.documentElement.lang === "ko" ? "ko" : "en";

export const LANGUAGES = /** @type {const} */ ([
  ["en", "English"],
  ["ko", "한국어"],
]);

export function currentLanguage() {
  return language;
}

/** @param {Language} chosen */
export function setLanguage(chosen) {
  language = chosen;
  document.documentElement.lang = chosen;
}

/**
 * A text of the page.
 *
 * @template {keyof Words} Key
 * @param {Key} key
 * @param {...any} given values to insert
 * @returns {string}
 */
export function t(key, ...given) {
  const text = /** @type {any} */ (WORDS[language][key]);
  return typeof text === "function" ? text(...given) : text;
}

/** Set the texts of index.html. */
export function labelPage() {
  for (const element of document.querySelectorAll("[data-word]")) {
    element.textContent = t(/** @type {any} */ (element).dataset.word);
  }
}
