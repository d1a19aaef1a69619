// What stands where content would be: nothing yet, nothing left, or an error.

import { button, h, icon } from "../dom.js";
import { Trouble } from "../api.js";
import { t } from "../words.js";

/** @typedef {import("../dom.js").Child} Child */

/**
 * An honest empty place: why it is empty, and what would fill it.
 *
 * @param {string} title
 * @param {...(Child | Child[])} content
 */
export function empty(title, ...content) {
  return h("div", { class: "empty" }, title ? h("p", { class: "empty-title" }, title) : null, ...content);
}

/**
 * An error as the service told it: what, where, what to do.
 *
 * @param {unknown} error
 * @param {(() => void) | null} [again]
 */
export function failure(error, again = null) {
  if (!(error instanceof Trouble)) throw error; // a mistake of the page belongs on the console
  const { status, message, where } = error;
  const unreachable = status === 0;
  const own = unreachable ? t("unreachable") : t("refused", status);
  const remedy = error.remedy ?? (unreachable ? t("unreachableRemedy") : null);
  // The service speaks English, whatever the language of the page.
  const said = error.remedy === null ? {} : { lang: "en" };
  return h(
    "div",
    { class: "failure", role: "alert" },
    icon("warning"),
    h(
      "div",
      {},
      h("p", { class: "failure-what", lang: message ? "en" : null }, message || own),
      where
        ? h("p", {}, h("span", { class: "key" }, t("place")), " ", h("code", { lang: "en" }, where))
        : null,
      remedy
        ? h("p", {}, h("span", { class: "key" }, t("remedy")), " ", h("span", said, remedy))
        : null,
      again ? button(t("again"), again) : null,
    ),
  );
}

/**
 * Grey lines in the shape of what is coming.
 *
 * @param {number} lines
 */
export function waiting(lines) {
  return h(
    "div",
    { class: "waiting" },
    h("span", { class: "unseen" }, t("loading")),
    Array.from({ length: Math.min(lines, 10) }, () => h("div", { class: "ghost" })),
  );
}
