// Who a list is for: as a query of the service, and as a text.

import { t } from "../words.js";

/** @typedef {import("../store.js").State} State */

/**
 * The query of the state; null if no user, description or history is given yet.
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
  if (as === "user") return t("forUser", String(user));
  if (as === "history") return t("forHistory", history.length);
  return history.length ? t("forDescriptionAnd", history.length) : t("forDescription");
}
