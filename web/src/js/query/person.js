// A known user: a search by id, and the features and the history of the chosen user.

import { ask, isAbort, part } from "../api.js";
import { seen } from "../catalogue.js";
import { button, fill, h } from "../dom.js";
import { fieldName, isEmpty, valueText } from "../format.js";
import { takeBack } from "../lists/choose.js";
import { combobox } from "../parts/combobox.js";
import { growing } from "../parts/growing.js";
import { failure, waiting } from "../parts/notice.js";
import { get, on, set } from "../store.js";
import { t } from "../words.js";

/** @typedef {import("../types.js").Id} Id */
/** @typedef {import("../types.js").User} User */
/** @typedef {{user_id: Id, interactions: number}} Hit */

const LONG = 24; // characters; a longer value has a line of its own
const SHOWN = 5; // items of a history before "more"

/**
 * @param {string} text
 * @param {AbortSignal} signal
 * @returns {Promise<Hit[]>}
 */
async function findUsers(text, signal) {
  const query = { q: text, limit: 20, model: get().model };
  const { users } = await ask("users", { query, signal });
  return users;
}

export function makePerson() {
  const search = h("div");
  const card = h("div", { class: "card", hidden: true });
  const panel = h("div", { class: "panel" }, search, card);
  /** @type {AbortController | null} */
  let controller = null;

  function drawSearch() {
    const box = combobox({
      label: t("findUser"),
      hint: t("findUserHint"),
      none: t("noUsers"),
      find: findUsers,
      show: (/** @type {Hit} */ hit) => [String(hit.user_id), t("userHit", hit.interactions)],
      pick: (hit) => set({ user: hit.user_id }),
    });
    fill(search, box.element);
  }

  async function drawCard() {
    const { user, model } = get();
    controller?.abort();
    controller = new AbortController();
    const { signal } = controller;
    card.hidden = user === null;
    if (user === null) {
      fill(card);
      return;
    }
    const title = h("h3", {}, t("user", String(user)));
    if (!card.querySelector("h3")?.isEqualNode(title)) fill(card, title, waiting(2));
    try {
      /** @type {User} */
      const known = await ask(`users/${part(user)}`, { query: { model }, signal });
      seen(known.history);
      fill(card, title, features(known), history(known));
    } catch (error) {
      if (!isAbort(error)) fill(card, title, failure(error, drawCard));
    }
  }

  drawSearch();
  drawCard();
  on(["language"], drawSearch);
  on(["user", "model", "language", "recorded"], drawCard);
  return panel;
}

/** @param {User} user */
function features(user) {
  const known = Object.entries(user.features).filter(([, value]) => !isEmpty(value));
  if (!known.length) return null;
  return h(
    "details",
    {},
    h("summary", {}, t("userFeatures")),
    h("dl", { class: "facts" }, known.map(([name, value]) => fact(name, value))),
  );
}

/**
 * A field and its value, for a list of facts.
 *
 * @param {string} name
 * @param {any} value
 */
export function fact(name, value) {
  const text = valueText(value, name);
  return h("div", { class: text.length > LONG ? "long" : null }, h("dt", {}, fieldName(name)), h("dd", {}, text));
}

/** @param {number} value */
function weight(value) {
  const text = valueText(value);
  return h(
    "span",
    { class: "weight" },
    h("span", { "aria-hidden": "true" }, text),
    h("span", { class: "visually-hidden" }, t("weight", text)),
  );
}

/**
 * A button that takes back a recorded choice.
 *
 * @param {number} id
 * @param {string} title
 */
function undo(id, title) {
  const container = h("span");
  const clicked = button(t("takeBack"), () => takeBack(id, title, container, clicked), {
    class: "small",
    "aria-label": t("takeBackOf", title),
  });
  container.append(clicked);
  return container;
}

/** @param {User} user */
function history(user) {
  const all = user.history;
  const weighted = all.some((choice) => choice.weight !== 1);
  const rows = all.map((choice) =>
    h(
      "li",
      {},
      button(choice.title, () => set({ item: choice.item_id }), { class: "link" }),
      weighted ? weight(choice.weight) : null,
      choice.record_id === null ? null : undo(choice.record_id, choice.title),
    ),
  );
  const list = h("ol", { class: "plain", role: "list" });
  return h(
    "div",
    {},
    h("h4", {}, t("chosenByUser", all.length)),
    all.length ? growing(list, rows, SHOWN) : h("p", { class: "quiet" }, t("nothingChosen")),
  );
}
