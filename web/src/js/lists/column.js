// A list with its heading: the items, or why there are none.

import { button, h, icon } from "../dom.js";
import { amount } from "../format.js";
import { empty, failure } from "../parts/notice.js";
import { get, modelOf, set } from "../store.js";
import { t } from "../words.js";
import { moves } from "./moves.js";
import { listRow } from "./row.js";
import { scale } from "./scorebar.js";

/** @typedef {import("../types.js").Listed} Listed */
/** @typedef {{model: string, items: Listed[], notes: string[]} | {model: string, error: unknown}} Answer */

const FIGURES = 3; // metrics that are shown for a model

/**
 * @param {Answer} answer
 * @param {Answer | null} other the list of the second model
 * @param {() => void} again
 */
export function column(answer, other, again) {
  const { model } = answer;
  return h(
    "section",
    { class: "column", "aria-label": model },
    head(model),
    h("div", { class: "column-body" }, "items" in answer ? content(answer, other) : failure(answer.error, again)),
  );
}

/** @param {string} name */
function head(name) {
  const model = modelOf(name);
  if (!model) return null;
  const figures = Object.entries(model.metrics)
    .filter(([, value]) => typeof value === "number")
    .slice(0, FIGURES);
  return h(
    "header",
    { class: "column-head" },
    h("h3", {}, model.name, " ", model.kind === model.name ? null : h("span", { class: "kind" }, model.kind)),
    h("p", { class: "quiet" }, t("facts", model.items, model.users, model.interactions)),
    figures.length
      ? h(
          "p",
          { class: "quiet figures" },
          figures.map(([metric, value]) => h("span", {}, `${metric} ${amount(value)}`)),
        )
      : null,
    model.trouble ? h("p", { class: "stale" }, icon("warning"), `${t("trouble")}: `, h("span", { lang: "en" }, model.trouble)) : null,
  );
}

/**
 * @param {{model: string, items: Listed[], notes: string[]}} answer
 * @param {Answer | null} other
 */
function content({ model, items, notes }, other) {
  if (!items.length) return noItems();
  const share = scale(items);
  const compared = other !== null && "items" in other ? other : null;
  const moved = compared ? moves(items, compared.items) : [];
  const fields = telling(items);
  const rows = items.map((item, index) =>
    listRow(item, { model, share, fields, move: moved[index], other: compared?.model ?? null }),
  );
  const popular = items.every((item) => item.source === "popularity");
  const scores = items.map((item) => item.score);
  return [
    popular && modelOf(model)?.kind !== "Popularity"
      ? h("p", { class: "notice" }, t("fallback", model))
      : null,
    ...notes.map((note) => h("p", { class: "quiet note", lang: "en" }, note)),
    compared ? h("p", { class: "quiet scale" }, t("scaleOf", amount(Math.min(...scores)), amount(Math.max(...scores)))) : null,
    h("ol", { class: "list", role: "list" }, rows),
    button(t("download"), () => download(items, model), { class: "download" }),
  ];
}

/**
 * The fields of items in the order in which they tell these apart: a field in which all are the same
 * comes last.
 *
 * @param {Listed[]} items
 */
function telling(items) {
  const names = [...new Set(items.flatMap((item) => Object.keys(item.features)))];
  const same = new Set(
    names.filter((name) => new Set(items.map((item) => JSON.stringify(item.features[name]))).size === 1),
  );
  return names.toSorted((a, b) => Number(same.has(a)) - Number(same.has(b)));
}

/**
 * Save a list as a CSV file.
 *
 * @param {Listed[]} items
 * @param {string} model
 */
function download(items, model) {
  const names = [...new Set(items.flatMap((item) => Object.keys(item.features)))];
  const head = ["rank", "item_id", "title", "score", "source", ...names];
  const rows = items.map((item) => [
    item.rank, item.item_id, item.title, item.score, item.source,
    ...names.map((name) => item.features[name]),
  ]);
  const text = [head, ...rows].map((row) => row.map(cell).join(",")).join("\r\n");
  const url = URL.createObjectURL(new Blob(["\ufeff", text, "\r\n"], { type: "text/csv" }));
  h("a", { href: url, download: `${model}.csv` }).click();
  URL.revokeObjectURL(url);
}

/** @param {unknown} value */
function cell(value) {
  const text = value === null || value === undefined ? "" : Array.isArray(value) ? value.join("; ") : String(value);
  // A spreadsheet would run a text that begins like a formula.
  const safe = typeof value === "number" || !/^[=+\-@\t\r]/.test(text) ? text : `'${text}`;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

function noItems() {
  if (Object.keys(get().where).length) {
    return empty(
      t("empty"),
      h("p", {}, t("emptyFilters")),
      button(t("clearFilters"), () => set({ where: {} })),
    );
  }
  return empty(
    t("empty"),
    h("p", {}, t("emptySeen")),
    get().fresh ? button(t("showSeen"), () => set({ fresh: false })) : null,
  );
}
