// The lists: asked for whenever what is asked for changes, shown when they are there.

import { isAbort } from "../api.js";
import { findUsers } from "../asking/person.js";
import { seen } from "../catalogue.js";
import { button, fill, h } from "../dom.js";
import { announce } from "../parts/live.js";
import { empty, failure, waiting } from "../parts/notice.js";
import { can, get, on, set } from "../store.js";
import { t } from "../words.js";
import { column } from "./column.js";
import { linkLists } from "./links.js";
import { requestList } from "./request.js";
import { queryOf, whoText } from "./who.js";

/** @typedef {import("./column.js").Answer} Answer */
/** @typedef {import("../store.js").State} State */

const [MANY, FEW] = [100, 5]; // the busiest users, and those of them that are suggested
const PAUSE = 50; // ms: several changes at once are one question
/** @type {Answer[]} */
let answers = [];

/** The items that are listed now, for the map. */
export function listedNow() {
  const [first] = answers;
  return first && "items" in first ? first.items : [];
}

export function makeLists() {
  const place = h("div", { class: "lists" });
  /** @type {AbortController | null} */
  let asking = null;
  /** @type {number | undefined} */
  let pause;
  let toShow = false; // whether the list should come into sight: below the form, on a phone

  async function load() {
    asking?.abort();
    const state = get();
    const query = queryOf(state);
    if (query === null) {
      answers = [];
      place.removeAttribute("aria-busy");
      document.title = "shortlist";
      document.dispatchEvent(new Event("listed"));
      const shown = await welcome(state);
      if (queryOf(get()) === null) fill(place, shown);
      return;
    }
    asking = new AbortController();
    const { signal } = asking;
    place.setAttribute("aria-busy", "true");
    if (!place.querySelector(".column")) fill(place, waiting(state.k));
    const models = [state.model, state.other].filter((one) => one !== null);
    const told = await Promise.all(models.map((model) => answerOf(model, state, query, signal)));
    if (signal.aborted) return;
    answers = told;
    place.removeAttribute("aria-busy");
    draw();
    document.dispatchEvent(new Event("listed"));
    if (toShow) place.closest("main")?.scrollIntoView();
    toShow = false;
    for (const answer of answers) {
      if ("items" in answer) announce(t("listed", answer.items.length, whoText(state), answer.model));
    }
  }

  function draw() {
    const state = get();
    const [one, other = null] = answers;
    const title = t("listTitle", whoText(state));
    document.title = `${title} · shortlist`;
    const columns = h(
      "div",
      { class: other ? "columns two" : "columns" },
      column(one, other, load),
      other ? column(other, one, load) : null,
    );
    const focus = held(place);
    fill(place, h("h2", { class: "list-title" }, title), other ? common(one, other) : null, columns);
    if (other) linkLists(columns);
    focus();
  }

  load();
  on(
    ["model", "other", "as", "user", "features", "history", "where", "k", "fresh", "reasons", "recorded"],
    (state, changed) => {
      // A history that is not asked with does not change the list.
      if (changed.size === 1 && changed.has("history") && state.as === "user") return;
      const asked = changed.has("user") || changed.has("features");
      toShow ||= asked && matchMedia("(max-width: 59.99rem)").matches;
      clearTimeout(pause);
      pause = setTimeout(load, PAUSE);
    },
  );
  on(["language"], () => (answers.length ? draw() : load()));
  return place;
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
    const items = await requestList(model, state, query, signal);
    seen(items);
    return { model, items };
  } catch (error) {
    return { model, trouble: isAbort(error) ? null : error };
  }
}

/**
 * How much two lists have in common, in words.
 *
 * @param {Answer} one
 * @param {Answer} other
 */
function common(one, other) {
  if (!("items" in one) || !("items" in other)) return null;
  const there = new Set(other.items.map((item) => item.item_id));
  const both = one.items.filter((item) => there.has(item.item_id)).length;
  return h("p", { class: "in-common" }, t("common", both, Math.max(one.items.length, other.items.length)));
}

/**
 * What to do while there is nobody to list for.
 *
 * @param {State} state
 */
async function welcome({ as, model }) {
  if (as === "description") {
    const able = can(model, "features");
    return empty(
      able ? t("welcome") : "",
      h("p", {}, able ? t("welcomeDescription") : t("cannotDescribe", model)),
    );
  }
  if (as === "history") return empty(t("welcome"), h("p", {}, t("welcomeHistory")));
  try {
    const users = spread(await findUsers("", undefined, MANY), FEW);
    return empty(
      t("welcome"),
      h("p", {}, t("welcomeUser")),
      h(
        "ul",
        { class: "picks", role: "list" },
        users.map(({ user_id }) =>
          h("li", {}, button(String(user_id), () => set({ user: user_id }), { "aria-label": t("user", String(user_id)) })),
        ),
      ),
    );
  } catch (error) {
    return failure(error);
  }
}

/**
 * A few of many, as far apart as can be.
 *
 * @template One
 * @param {One[]} all
 * @param {number} few
 */
function spread(all, few) {
  if (all.length <= few) return all;
  return Array.from({ length: few }, (_, n) => all[Math.round((n * (all.length - 1)) / (few - 1))]);
}

/**
 * Note which button of which row has the focus; what comes back gives it to the same one, or to
 * the title of the lists where that row is gone.
 *
 * @param {HTMLElement} place
 */
function held(place) {
  const had = document.activeElement;
  if (!(had instanceof HTMLElement) || !place.contains(had)) return () => {};
  const [item, does] = [/** @type {HTMLElement | null} */ (had.closest(".row"))?.dataset.item, had.dataset.does];
  return () => {
    const rows = /** @type {HTMLElement[]} */ ([...place.querySelectorAll(".row")]);
    const row = rows.find((one) => one.dataset.item === item);
    const same = does && row?.querySelector(`[data-does="${does}"]`);
    const next = /** @type {HTMLElement} */ (same || place.querySelector(".list-title"));
    if (!same) next.tabIndex = -1;
    next.focus();
  };
}
