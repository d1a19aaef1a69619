// A row of a list: an item.

import { ask } from "../api.js";
import { addToHistory } from "../query/chosen.js";
import { nameOf } from "../catalogue.js";
import { button, fill, h, icon, newId } from "../dom.js";
import { fieldName, isEmpty, valueText } from "../format.js";
import { failure, waiting } from "../parts/notice.js";
import { can, get, set } from "../store.js";
import { t } from "../words.js";
import { chooseButton } from "./choose.js";
import { reasonList } from "./reasons.js";
import { scoreBar } from "./scorebar.js";
import { queryOf } from "./query.js";

/** @typedef {import("../types.js").Listed} Listed */

const FACTS = 4; // fields that are shown below the title
const VALUES = 4; // that are shown of a list field

/**
 * @param {Listed} item
 * @param {object} given
 * @param {string} given.model the model of the list
 * @param {ReturnType<typeof import("./scorebar.js").scale>} given.share
 * @param {string[]} given.fields in the order in which they tell items apart
 * @param {number | null} [given.move] how many ranks higher than on the other list; null: not on it
 * @param {string | null} given.other the model of the other list; null: there is none
 */
export function listRow(item, { model, share, fields, move, other }) {
  const why = h("div", { class: "why" });
  const choice = h("div", { class: "choice", hidden: true });
  const row = h(
    "li",
    { class: other !== null && move !== null ? "row shared" : "row" },
    h("span", { class: "rank" }, h("span", { class: "visually-hidden" }, t("rank", item.rank)), visibleRank(item.rank)),
    h(
      "div",
      { class: "main-column" },
      h(
        "h4",
        {},
        button(nameOf(item), () => set({ item: item.item_id, by: model }), { class: "title", "data-action": "open" }),
        other === null ? null : moveMark(move ?? null, other),
      ),
      h("p", { class: "row-facts" }, facts(item, fields)),
    ),
    scoreBar(item.score, share(item.score)),
    h("div", { class: "actions" }, actions(item, model, why, choice)),
    choice,
    why,
  );
  row.dataset.item = String(item.item_id);
  if (item.reasons) fill(why, reasonList(item.score, item.reasons));
  return row;
}

/** @param {number} rank */
function visibleRank(rank) {
  return h("span", { "aria-hidden": "true" }, rank);
}

/** @param {Listed} item @param {string[]} fields in the order in which they tell items apart */
function facts(item, fields) {
  const { features } = item;
  const filtered = Object.keys(get().where); // filtered fields come first
  const known = (/** @type {string[]} */ names) => [...new Set([...filtered, ...names])].filter((name) => !isEmpty(features[name]));
  const untitled = nameOf(item) === String(item.item_id);
  return (untitled ? wordsFirst(known(fields), features) : known(Object.keys(features)))
    .slice(0, FACTS)
    .map((name) => {
      const value = features[name];
      const short = Array.isArray(value) ? value.slice(0, VALUES) : value;
      const rest = Array.isArray(value) && value.length > VALUES ? "…" : "";
      return h(
        "span",
        { class: "row-fact" },
        h("span", { class: "key" }, fieldName(name)),
        " ",
        valueText(short, name) + rest,
      );
    });
}

/**
 * Names of fields, those whose values are words before those with codes and numbers.
 *
 * @param {string[]} names
 * @param {Record<string, any>} features
 */
export function wordsFirst(names, features) {
  const isCode = (/** @type {string} */ name) => !/\p{L}{2}/u.test(valueText(features[name], name));
  return names.toSorted((a, b) => Number(isCode(a)) - Number(isCode(b)));
}

/**
 * @param {number | null} move
 * @param {string} other
 */
function moveMark(move, other) {
  if (move === null) return mark("new", t("onlyHere"), t("onlyHereOf", other));
  if (move > 0) return mark("up", `▲ ${move}`, t("higher", move, other));
  if (move < 0) return mark("down", `▼ ${-move}`, t("lower", -move, other));
  return mark("same", "=", t("same", other));
}

/** @param {string} kind @param {string} sign @param {string} meaning */
function mark(kind, sign, meaning) {
  return h(
    "span",
    { class: `move ${kind}`, title: meaning },
    h("span", { "aria-hidden": "true" }, sign),
    h("span", { class: "visually-hidden" }, ` (${meaning})`),
  );
}

/**
 * @param {Listed} item
 * @param {string} model
 * @param {HTMLElement} why
 * @param {HTMLElement} choice
 */
function actions(item, model, why, choice) {
  const { as, records, reasons } = get();
  const title = nameOf(item);
  return [
    can(model, "explain") && !reasons ? whyButton(item, model, why) : null,
    as !== "user"
      ? button([icon("plus"), t("add")], () => addToHistory(item.item_id), {
          class: "small",
          "aria-label": t("addOf", title),
          "data-action": "choose",
        })
      : records
        ? chooseButton(item, model, choice)
        : null,
  ];
}

/**
 * @param {Listed} item
 * @param {string} model
 * @param {HTMLElement} why
 */
function whyButton(item, model, why) {
  why.id = newId();
  why.hidden = true;
  const opener = button([t("why"), icon("down")], toggle, {
    class: "small",
    "aria-label": t("whyOf", nameOf(item)),
    "aria-expanded": "false",
    "aria-controls": why.id,
    "data-action": "why",
  });

  function toggle() {
    why.hidden = !why.hidden;
    opener.setAttribute("aria-expanded", String(!why.hidden));
    if (!why.hidden && !why.firstChild) explain(item.item_id, model, why);
  }

  return opener;
}

/**
 * Show the reasons for the score of an item.
 *
 * @param {import("../types.js").Id} item
 * @param {string} model
 * @param {HTMLElement} container
 */
export async function explain(item, model, container) {
  fill(container, waiting(2));
  try {
    const query = queryOf(get());
    const { score, parts } = await ask("explanations", { body: { model, item, query } });
    fill(container, reasonList(score, parts));
  } catch (error) {
    fill(container, failure(error, () => explain(item, model, container)));
  }
}
