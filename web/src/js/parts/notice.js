// Placeholders for content: while loading, for an empty result, and for an error.

import { button, h, icon } from "../dom.js";
import { ServiceError } from "../api.js";
import { t } from "../words.js";

/** @typedef {import("../dom.js").Child} Child */

/**
 * An empty result, with an explanation and what to do.
 *
 * @param {string} title
 * @param {...(Child | Child[])} content
 */
export function empty(title, ...content) {
  return h("div", { class: "empty" }, title ? h("p", { class: "empty-title" }, title) : null, ...content);
}

/**
 * An error: what happened, where, and what to do.
 *
 * @param {unknown} error
 * @param {(() => void) | null} [again]
 */
export function failure(error, again = null) {
  if (!(error instanceof ServiceError)) throw error; // a bug of the page: it belongs on the console
  const { status, message, where } = error;
  const unreachable = status === 0;
  const own = unreachable ? t("unreachable") : t("refused", status);
  const remedy = error.remedy ?? (unreachable ? t("unreachableRemedy") : null);
  // The service speaks English, whatever the language of the page.
  const language = error.remedy === null ? {} : { lang: "en" };
  return h(
    "div",
    { class: "failure", role: "alert" },
    icon("warning"),
    h(
      "div",
      {},
      h("p", { class: "failure-what", lang: message ? "en" : null }, message || own),
      where
        ? h("p", {}, h("span", { class: "key" }, t("where")), " ", h("code", { lang: "en" }, where))
        : null,
      remedy
        ? h("p", {}, h("span", { class: "key" }, t("remedy")), " ", h("span", language, remedy))
        : null,
      again ? button(t("again"), again) : null,
    ),
  );
}

/**
 * Grey placeholder lines while something loads.
 *
 * @param {number} lines
 */
export function waiting(lines) {
  return h(
    "div",
    { class: "waiting" },
    h("span", { class: "visually-hidden" }, t("loading")),
    Array.from({ length: Math.min(lines, 10) }, () => h("div", { class: "ghost" })),
  );
}
