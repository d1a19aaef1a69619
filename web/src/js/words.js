// The page's own words, in the language that is chosen.

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
export function speak(chosen) {
  language = chosen;
  document.documentElement.lang = chosen;
}

/**
 * A word or a sentence.
 *
 * @template {keyof Words} Key
 * @param {Key} key
 * @param {...any} given what a sentence speaks of
 * @returns {string}
 */
export function t(key, ...given) {
  const word = /** @type {any} */ (WORDS[language][key]);
  return typeof word === "function" ? word(...given) : word;
}

/** Put the words into the parts of the page that are there from the start. */
export function labelPage() {
  for (const element of document.querySelectorAll("[data-word]")) {
    element.textContent = t(/** @type {any} */ (element).dataset.word);
  }
}
