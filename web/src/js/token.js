// The access token, for a service that requires it. It is kept until this tab is closed.

import { byId, button, fill, h } from "./dom.js";
import { t } from "./words.js";

const KEY = "shortlist.token";
/** @type {string | null} */
let current = null;
try {
  current = sessionStorage.getItem(KEY);
} catch {
  // Storage is switched off: the token is kept while the page is open.
}
/** @type {Promise<boolean> | null} */
let pending = null;

export function token() {
  return current;
}

/**
 * Ask the user for a token. Requests that wait at the same time share one dialog.
 *
 * @param {boolean} wrong whether the previous token was refused
 * @returns {Promise<boolean>} whether the user entered a token
 */
export function askForToken(wrong) {
  pending ??= prompted(wrong).finally(() => {
    pending = null;
  });
  return pending;
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
  current = value;
  try {
    sessionStorage.setItem(KEY, value);
  } catch {
    // Storage is switched off.
  }
}
