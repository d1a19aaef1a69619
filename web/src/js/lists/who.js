// Who a list is for: as the service takes it, and in words.

import { t } from "../words.js";

/** @typedef {import("../store.js").State} State */

/**
 * The query of the state; null where nobody is chosen or described yet.
 *
 * @param {State} state
 * @returns {Record<string, any> | null}
 */
export function queryOf({ as, user, features, history }) {
  switch (as) {
    case "user":
      return user === null ? null : { user };
    case "history":
      return history.length ? { history } : null;
    default:
      if (!Object.keys(features).length) return null;
      return history.length ? { features, history } : { features };
  }
}

/** @param {State} state */
export function whoText({ as, user, history }) {
  if (as === "user") return t("whoUser", String(user));
  if (as === "history") return t("whoHistory", history.length);
  return history.length ? t("whoDescriptionAnd", history.length) : t("whoDescription");
}
