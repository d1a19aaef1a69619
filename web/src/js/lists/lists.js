// The lists. They are requested again whenever the query changes.

import { ask, isAbort, prefetch } from "../api.js";
import { schemaOf, seen } from "../catalogue.js";
import { button, fill, h } from "../dom.js";
import { announce } from "../parts/live.js";
import { empty, failure, waiting } from "../parts/notice.js";
import { can, get, modelParameter, on, set } from "../store.js";
import { t } from "../words.js";
import { column } from "./column.js";
import { linkLists } from "./links.js";
import { queryOf, whoText } from "./query.js";

/** @typedef {import("./column.js").Answer} Answer */
/** @typedef {import("../store.js").State} State */

const SUGGESTIONS = 5; // users
const SUGGESTED_FROM = 100; // the users with the most interactions
const PAUSE = 50; // ms: changes within this time cause one request
/** @type {Answer[]} */
let answers = [];

/** The items of the current list, for the map. */
export function listedNow() {
  const [first] = answers;
  return first && "items" in first ? first.items : [];
}

/**
 * Request the list of an address while the models are still loading. This saves a round trip when the
 * page is opened.
 *
 * @param {Partial<State>} address
 */
export function prefetchLists(address) {
  const state = { ...get(), ...address };
  const query = queryOf(state);
  if (query === null) {
    if (state.as === "user") prefetch("users", suggestionsRequest(state));
  } else if (!state.reasons) {
    // Whether there are reasons depends on the model.
    prefetch("recommendations", listRequest(state.model, state, query));
  }
}

export function makeLists() {
  const container = h("div", { class: "lists" });
  /** @type {AbortController | null} */
  let controller = null;
  /** @type {number | undefined} */
  let pause;
  let scrolls = false; // whether to scroll to the list: on a phone it is below the form

  async function load() {
    controller?.abort();
    const state = get();
    const query = queryOf(state);
    if (query === null) {
      answers = [];
      container.removeAttribute("aria-busy");
      document.title = "shortlist";
      document.dispatchEvent(new Event("listed"));
      const shown = await welcome(state);
      if (queryOf(get()) === null) fill(container, shown);
      return;
    }
    controller = new AbortController();
    const { signal } = controller;
    container.setAttribute("aria-busy", "true");
    if (!container.querySelector(".column")) fill(container, waiting(state.k));
    const models = [state.model, state.other].filter((model) => model !== null);
    const replies = await Promise.all(models.map((model) => answerOf(model, state, query, signal)));
    if (signal.aborted) return;
    answers = replies;
    container.removeAttribute("aria-busy");
    draw();
    document.dispatchEvent(new Event("listed"));
    if (scrolls) container.closest("main")?.scrollIntoView();
    scrolls = false;
    for (const answer of answers) {
      if ("items" in answer) announce(t("listed", answer.items.length, whoText(state), answer.model));
    }
  }

  function draw() {
    const state = get();
    const [first, second = null] = answers;
    const title = t("listTitle", whoText(state));
    document.title = `${title} · shortlist`;
    const columns = h(
      "div",
      { class: second ? "columns two" : "columns" },
      column(first, second, load),
      second ? column(second, first, load) : null,
    );
    const restoreFocus = rememberFocus(container);
    fill(container, h("h2", { class: "list-title" }, title), second ? common(first, second) : null, columns);
    if (second) linkLists(columns);
    restoreFocus();
  }

  load();
  on(
    [
      "model", "other", "as", "user", "features", "history", "where", "k", "fresh", "diversity",
      "reasons", "recorded",
    ], // prettier-ignore
    (state, changed) => {
      // The list of a user does not depend on the history.
      if (changed.size === 1 && changed.has("history") && state.as === "user") return;
      const requested = changed.has("user") || changed.has("features");
      scrolls ||= requested && matchMedia("(max-width: 59.99rem)").matches;
      clearTimeout(pause);
      pause = setTimeout(load, PAUSE);
    },
  );
  on(["language"], () => (answers.length ? draw() : load()));
  return container;
}

/**
 * @param {string} model
 * @param {State} state
 * @param {Record<string, any>} query
 * @param {AbortSignal} signal
 * @returns {Promise<Answer>}
 */
async function answerOf(model, state, query, signal) {
  try {
    const [{ lists, notes = [] }] = await Promise.all([
      ask("recommendations", { ...listRequest(model, state, query), signal }),
      schemaOf(model).catch(() => null), // for the labels of fields
    ]);
    const { items } = lists[0];
    seen(items);
    return { model, items, notes };
  } catch (error) {
    return { model, error: isAbort(error) ? null : error };
  }
}

/**
 * @param {string} model
 * @param {State} state
 * @param {Record<string, any>} query
 */
function listRequest(model, { k, fresh, diversity, where, reasons }, query) {
  return {
    body: {
      model: modelParameter(model),
      queries: [query],
      k,
      exclude_seen: fresh,
      ...(diversity ? { diversity } : {}),
      reasons: reasons && can(model, "explain"),
      ...(Object.keys(where).length ? { where } : {}),
    },
  };
}

/** @param {State} state */
function suggestionsRequest({ model }) {
  return { query: { limit: SUGGESTED_FROM, model: modelParameter(model) } };
}

/**
 * How many items two lists have in common.
 *
 * @param {Answer} first
 * @param {Answer} second
 */
function common(first, second) {
  if (!("items" in first) || !("items" in second)) return null;
  const ids = new Set(second.items.map((item) => item.item_id));
  const both = first.items.filter((item) => ids.has(item.item_id)).length;
  return h("p", { class: "in-common" }, t("common", both, Math.max(first.items.length, second.items.length)));
}

/**
 * What to do first, while there is no query.
 *
 * @param {State} state
 */
async function welcome(state) {
  const { as, model } = state;
  if (as === "description") {
    const able = can(model, "features");
    return empty(
      able ? t("welcome") : "",
      h("p", {}, able ? t("welcomeDescription") : t("cannotDescribe", model)),
    );
  }
  if (as === "history") return empty(t("welcome"), h("p", {}, t("welcomeHistory")));
  try {
    const { users } = await ask("users", suggestionsRequest(state));
    return empty(
      t("welcome"),
      h("p", {}, t("welcomeUser")),
      h(
        "ul",
        { class: "picks", role: "list" },
        spread(users, SUGGESTIONS).map(({ user_id }) =>
          h("li", {}, button(String(user_id), () => set({ user: user_id }), { "aria-label": t("user", String(user_id)) })),
        ),
      ),
    );
  } catch (error) {
    return failure(error);
  }
}

/**
 * Evenly spread elements of an array.
 *
 * @param {any[]} all
 * @param {number} count
 */
function spread(all, count) {
  if (all.length <= count) return all;
  return Array.from({ length: count }, (_, n) => all[Math.round((n * (all.length - 1)) / (count - 1))]);
}

/**
 * Remember which button of which row has the focus. The function that is returned moves the focus to
 * the same button, or to the title of the lists if the row is gone.
 *
 * @param {HTMLElement} container
 */
function rememberFocus(container) {
  const focused = document.activeElement;
  if (!(focused instanceof HTMLElement) || !container.contains(focused)) return () => {};
  const focusedRow = /** @type {HTMLElement | null} */ (focused.closest(".row"));
  const item = focusedRow?.dataset.item;
  const { action } = focused.dataset;
  return () => {
    const rows = /** @type {HTMLElement[]} */ ([...container.querySelectorAll(".row")]);
    const row = rows.find((candidate) => candidate.dataset.item === item);
    const same = action && row?.querySelector(`[data-action="${action}"]`);
    const next = /** @type {HTMLElement} */ (same || container.querySelector(".list-title"));
    if (!same) next.tabIndex = -1;
    next.focus();
  };
}
