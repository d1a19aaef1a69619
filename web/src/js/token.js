// The token of a service that wants one. It is kept for this tab, until it is closed.

import { byId, button, fill, h } from "./dom.js";
import { t } from "./words.js";

const NAME = "shortlist.token";
/** @type {string | null} */
let held = null;
try {
  held = sessionStorage.getItem(NAME);
} catch {
  // Storage is switched off: the token is kept as long as the page is open.
}
/** @type {Promise<boolean> | null} */
let asking = null;

export function token() {
  return held;
}

/**
 * Ask for a token, once, however many questions wait for one.
 *
 * @param {boolean} wrong whether the last one was refused
 * @returns {Promise<boolean>} whether there is another one now
 */
export function askForToken(wrong) {
  asking ??= prompted(wrong).finally(() => {
    asking = null;
  });
  return asking;
}

/** @param {boolean} wrong */
function prompted(wrong) {
  const dialog = /** @type {HTMLDialogElement} */ (byId("token"));
  const input = h("input", {
    id: "token-value",
    type: "password",
    autocomplete: "off",
    required: true,
    pattern: "[!-~]+",
    "aria-describedby": "token-hint",
    "aria-invalid": wrong ? "true" : null,
  });
  /** @type {boolean} */
  let given = false;
  const form = h(
    "form",
    {
      method: "dialog",
      on: {
        submit: () => {
          keep(input.value.trim());
          given = true;
        },
      },
    },
    h("h2", { id: "token-title" }, t("tokenTitle")),
    h("p", { id: "token-hint" }, wrong ? t("tokenWrong") : t("tokenHint")),
    h("label", { for: "token-value" }, t("token")),
    input,
    h(
      "div",
      { class: "buttons" },
      h("button", { type: "submit", class: "main" }, t("tokenGive")),
      button(t("cancel"), () => dialog.close()),
    ),
  );
  fill(dialog, form);
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(given), { once: true });
    dialog.showModal();
    input.focus();
  });
}

/** @param {string} value */
function keep(value) {
  held = value;
  try {
    sessionStorage.setItem(NAME, value);
  } catch {
    // As above.
  }
}
