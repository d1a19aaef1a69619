// A known user: a search by id, and what is known of the one who is chosen.

import { ask, isAbort, part } from "../api.js";
import { seen } from "../catalogue.js";
import { button, fill, h } from "../dom.js";
import { fieldName, isEmpty, valueText } from "../format.js";
import { combobox } from "../parts/combobox.js";
import { growing } from "../parts/growing.js";
import { failure, waiting } from "../parts/notice.js";
import { get, on, set } from "../store.js";
import { t } from "../words.js";

/** @typedef {import("../types.js").Id} Id */
/** @typedef {import("../types.js").User} User */
/** @typedef {{user_id: Id, interactions: number}} Hit */

const LONG = 24; // letters of a value that has a line to itself
const SHOWN = 5; // of a history, before somebody asks for more

/**
 * @param {string} text
 * @param {AbortSignal} [signal]
 * @param {number} [limit]
 * @returns {Promise<Hit[]>}
 */
export async function findUsers(text, signal, limit = 20) {
  const { users } = await ask("users", { query: { q: text, limit, model: get().model }, signal });
  return users;
}

export function makePerson() {
  const search = h("div");
  const card = h("div", { class: "card", hidden: true });
  const panel = h("div", { class: "panel" }, search, card);
  /** @type {AbortController | null} */
  let asking = null;

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
    asking?.abort();
    asking = new AbortController();
    const { signal } = asking;
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
    h("summary", {}, t("knownOfUser")),
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
  const text = valueText(value);
  return h("div", { class: text.length > LONG ? "long" : null }, h("dt", {}, fieldName(name)), h("dd", {}, text));
}

/** @param {number} value */
function weight(value) {
  const text = valueText(value);
  return h(
    "span",
    { class: "weight" },
    h("span", { "aria-hidden": "true" }, text),
    h("span", { class: "unseen" }, t("weight", text)),
  );
}

/** @param {User} user */
function history(user) {
  const all = user.history;
  const weighted = all.some((one) => one.weight !== 1);
  const rows = all.map((one) =>
    h(
      "li",
      {},
      button(one.title, () => set({ item: one.item_id }), { class: "link" }),
      weighted
        ? weight(one.weight)
        : null,
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
