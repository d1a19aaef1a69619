// The dialog of an item: its fields, the reasons for it, similar items, and suitable users.

import { ask, isAbort, part } from "../api.js";
import { addToHistory } from "../query/chosen.js";
import { fact } from "../query/person.js";
import { fetchItem, nameOf, seen, titleOf } from "../catalogue.js";
import { button, fill, h, icon } from "../dom.js";
import { amount, fieldName, isEmpty, valueText } from "../format.js";
import { listedNow } from "../lists/lists.js";
import { explain, wordsFirst } from "../lists/row.js";
import { scale, scoreBar } from "../lists/scorebar.js";
import { queryOf } from "../lists/query.js";
import { placeOnMap } from "../map/map.js";
import { failure, waiting } from "../parts/notice.js";
import { can, get, on, set } from "../store.js";
import { t } from "../words.js";

/** @typedef {import("../types.js").Id} Id */

const LENGTH = 10; // of the lists of items and users
const FEATURES = 3; // of a user, and values of a list, that are shown

/** @param {HTMLElement} element */
export function followItem(element) {
  const dialog = /** @type {HTMLDialogElement} */ (element);
  /** @type {Id[]} the items opened before this one, to go back to */
  let trail = [];
  /** @type {AbortController | null} */
  let controller = null;

  function show() {
    const { item } = get();
    controller?.abort();
    if (item === null) {
      trail = [];
      if (dialog.open) dialog.close();
      return;
    }
    controller = new AbortController();
    const model = get().by ?? get().model;
    draw(item, model, controller.signal);
    if (!dialog.open) dialog.showModal();
    dialog.scrollTop = 0;
    dialog.querySelector("h2")?.focus();
  }

  /** @param {Id} item @param {string} model @param {AbortSignal} signal */
  function draw(item, model, signal) {
    const title = h("h2", { id: "item-title", tabindex: "-1" }, nameOf({ item_id: item, title: titleOf(item) }));
    const facts = h("div");
    fill(
      dialog,
      h(
        "div",
        { class: "dialog-head" },
        trail.length
          ? button(icon("back"), back, { class: "bare", "aria-label": t("back") })
          : null,
        title,
        button(icon("close"), () => dialog.close(), { class: "bare", "aria-label": t("close") }),
      ),
      facts,
      h("div", { class: "buttons" }, actions(item)),
      reasons(item, model),
      section(t("similar"), (container) => similar(item, model, container)),
      section(t("audience"), (container) => audience(item, model, container)),
    );
    describe();

    async function describe() {
      fill(facts, waiting(2));
      try {
        const described = await fetchItem(item, model, signal);
        const { interactions, features } = described;
        title.textContent = nameOf(described);
        const known = Object.entries(features).filter(([, value]) => !isEmpty(value));
        fill(
          facts,
          h("p", { class: "quiet" }, `${item} · ${t("chosenTimes", interactions)}`),
          h("dl", { class: "facts" }, known.map(([field, value]) => fact(field, value))),
        );
      } catch (error) {
        if (!isAbort(error)) fill(facts, failure(error, describe));
      }
    }

    /**
     * @param {string} name
     * @param {(container: HTMLElement) => Promise<void> | void} load
     */
    function section(name, load) {
      const container = h("div");
      const run = async () => {
        fill(container, waiting(4));
        try {
          await load(container);
        } catch (error) {
          if (!isAbort(error)) fill(container, failure(error, run));
        }
      };
      run();
      return h("section", { "aria-label": name }, h("h3", {}, name), container);
    }

    /** @param {Id} id @param {string} by @param {HTMLElement} container */
    async function similar(id, by, container) {
      if (!can(by, "similar")) {
        fill(container, h("p", { class: "quiet" }, t("cannotSimilar", by)));
        return;
      }
      const { items } = await ask(`items/${part(id)}/similar`, { query: { model: by, k: LENGTH }, signal });
      seen(items);
      const share = scale(items);
      fill(
        container,
        items.length
          ? ranked(items.map((/** @type {any} */ hit) => [hit.title, hit.score, share, () => go(hit.item_id)]))
          : h("p", { class: "quiet" }, t("noSimilar")),
      );
    }

    /** @param {Id} id @param {string} by @param {HTMLElement} container */
    async function audience(id, by, container) {
      const { users } = await ask(`items/${part(id)}/audience`, { query: { model: by, k: LENGTH }, signal });
      const share = scale(users);
      fill(
        container,
        users.length
          ? ranked(
              users.map((/** @type {any} */ hit) => [
                t("user", String(hit.user_id)),
                hit.score,
                share,
                () => set({ as: "user", user: hit.user_id, view: "list", item: null, by: null }),
                hit.features,
              ]),
            )
          : h("p", { class: "quiet" }, t("noAudience")),
      );
    }

    /** @param {Id} to */
    function go(to) {
      trail = [...trail, item];
      set({ item: to });
    }
  }

  function back() {
    const to = trail.at(-1) ?? null;
    trail = trail.slice(0, -1);
    set({ item: to });
  }

  dialog.addEventListener("close", () => set({ item: null, by: null }));
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog) dialog.close(); // a click outside
  });
  on(["item", "language"], show);
  show();
}

/** @param {Id} item */
function actions(item) {
  const { model, models } = get();
  const able = models.filter((candidate) => candidate.can.includes("map")).map(({ name }) => name);
  return [
    button([icon("plus"), t("addToHistory")], () => {
      addToHistory(item);
      set({ as: "history" });
    }),
    able.length
      ? button([icon("map"), t("showOnMap")], () => {
          set({ item: null, by: null, model: able.includes(model) ? model : able[0], view: "map" });
          placeOnMap(item);
        })
      : null,
  ];
}

/**
 * The reasons for the score of the item on the current list.
 *
 * @param {Id} item
 * @param {string} model
 */
function reasons(item, model) {
  if (queryOf(get()) === null) return null;
  const container = h("div");
  const listed = listedNow().find((entry) => entry.item_id === item);
  if (can(model, "explain")) explain(item, model, container);
  else fill(container, h("p", { class: "quiet" }, t("cannotExplain", model)));
  return h(
    "section",
    { "aria-label": t("why") },
    h("h3", {}, t("why")),
    listed && model === get().model
      ? h("p", { class: "quiet" }, `${t("onList", listed.rank)}, ${t("scoreOf", amount(listed.score))}`)
      : null,
    container,
  );
}

/**
 * What tells one user from another: a few features.
 *
 * @param {Record<string, any>} features
 */
function described(features) {
  const names = Object.keys(features).filter((name) => !isEmpty(features[name]));
  const shown = wordsFirst(names, features).slice(0, FEATURES);
  const texts = shown.map((name) => {
    const value = features[name];
    return `${fieldName(name)} ${valueText(Array.isArray(value) ? value.slice(0, FEATURES) : value, name)}`;
  });
  return texts.length ? h("p", { class: "quiet" }, texts.join(" · ")) : null;
}

/** @param {[string, number, ReturnType<typeof scale>, () => void, Record<string, any>?][]} rows */
function ranked(rows) {
  return h(
    "ol",
    { class: "ranked", role: "list" },
    rows.map(([name, score, share, open, features = {}], index) =>
      h(
        "li",
        {},
        h("span", { class: "rank", "aria-hidden": "true" }, index + 1),
        h("div", {}, button(name, open, { class: "title" }), described(features)),
        scoreBar(score, share(score)),
      ),
    ),
  );
}
