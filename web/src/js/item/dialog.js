// An item, opened: its fields, why it is listed, what is like it, and whom it suits.

import { ask, isAbort, part } from "../api.js";
import { addToHistory } from "../asking/chosen.js";
import { fact } from "../asking/person.js";
import { fetchItem, nameOf, seen, titleOf } from "../catalogue.js";
import { button, fill, h, icon } from "../dom.js";
import { amount, isEmpty } from "../format.js";
import { listedNow } from "../lists/lists.js";
import { explain } from "../lists/row.js";
import { scale, scoreBar } from "../lists/scorebar.js";
import { queryOf } from "../lists/who.js";
import { placeOnMap } from "../map/map.js";
import { failure, waiting } from "../parts/notice.js";
import { can, get, on, set } from "../store.js";
import { t } from "../words.js";

/** @typedef {import("../types.js").Id} Id */

const LONG = 10; // items and users that are listed

/** @param {HTMLElement} element */
export function followItem(element) {
  const dialog = /** @type {HTMLDialogElement} */ (element);
  /** @type {Id[]} items that led to the one that is open */
  let trail = [];
  /** @type {AbortController | null} */
  let asking = null;

  function show() {
    const { item } = get();
    asking?.abort();
    if (item === null) {
      trail = [];
      if (dialog.open) dialog.close();
      return;
    }
    asking = new AbortController();
    const model = get().by ?? get().model;
    draw(item, model, asking.signal);
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
      h("div", { class: "buttons" }, doings(item)),
      reasons(item, model),
      section(t("similar"), (place) => similar(item, model, place)),
      section(t("audience"), (place) => audience(item, model, place)),
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
     * @param {(place: HTMLElement) => Promise<void> | void} load
     */
    function section(name, load) {
      const place = h("div");
      const run = async () => {
        fill(place, waiting(4));
        try {
          await load(place);
        } catch (error) {
          if (!isAbort(error)) fill(place, failure(error, run));
        }
      };
      run();
      return h("section", { "aria-label": name }, h("h3", {}, name), place);
    }

    /** @param {Id} id @param {string} by @param {HTMLElement} place */
    async function similar(id, by, place) {
      if (!can(by, "similar")) {
        fill(place, h("p", { class: "quiet" }, t("cannotSimilar", by)));
        return;
      }
      const { items } = await ask(`items/${part(id)}/similar`, { query: { model: by, k: LONG }, signal });
      seen(items);
      const share = scale(items);
      fill(
        place,
        items.length
          ? ranked(items.map((/** @type {any} */ one) => [one.title, one.score, share, () => go(one.item_id)]))
          : h("p", { class: "quiet" }, t("noSimilar")),
      );
    }

    /** @param {Id} id @param {string} by @param {HTMLElement} place */
    async function audience(id, by, place) {
      const { users } = await ask(`items/${part(id)}/audience`, { query: { model: by, k: LONG }, signal });
      const share = scale(users);
      fill(
        place,
        users.length
          ? ranked(
              users.map((/** @type {any} */ one) => [
                t("user", String(one.user_id)),
                one.score,
                share,
                () => set({ as: "user", user: one.user_id, view: "list", item: null, by: null }),
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
    if (event.target === dialog) dialog.close(); // beside it
  });
  on(["item", "language"], show);
  show();
}

/** @param {Id} item */
function doings(item) {
  const { models } = get();
  const mapped = models.some((one) => one.can.includes("map"));
  return [
    button([icon("plus"), t("addToHistory")], () => {
      addToHistory(item);
      set({ as: "history" });
    }),
    mapped
      ? button([icon("map"), t("showOnMap")], () => {
          set({ item: null, by: null, view: "map" });
          placeOnMap(item);
        })
      : null,
  ];
}

/**
 * Why the item has its score for whom the list is for.
 *
 * @param {Id} item
 * @param {string} model
 */
function reasons(item, model) {
  if (queryOf(get()) === null) return null;
  const place = h("div");
  const listed = listedNow().find((one) => one.item_id === item);
  if (can(model, "explain")) explain(item, model, place);
  else fill(place, h("p", { class: "quiet" }, t("cannotExplain", model)));
  return h(
    "section",
    { "aria-label": t("why") },
    h("h3", {}, t("why")),
    listed && model === get().model
      ? h("p", { class: "quiet" }, `${t("onList", listed.rank)}, ${t("scoreOf", amount(listed.score))}`)
      : null,
    place,
  );
}

/** @param {[string, number, (score: number) => number, () => void][]} rows */
function ranked(rows) {
  return h(
    "ol",
    { class: "ranked", role: "list" },
    rows.map(([name, score, share, open], place) =>
      h(
        "li",
        {},
        h("span", { class: "rank", "aria-hidden": "true" }, place + 1),
        button(name, open, { class: "title" }),
        scoreBar(score, share(score)),
      ),
    ),
  );
}
