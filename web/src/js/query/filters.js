// The filters: rules for fields of the items. Together they are the `where` of a request.

import { schemaOf } from "../catalogue.js";
import { button, fill, h, icon, newId } from "../dom.js";
import { fieldName } from "../format.js";
import { failure } from "../parts/notice.js";
import { get, on, set } from "../store.js";
import { t } from "../words.js";
import { editor, fits } from "./rules.js";

/** @typedef {import("../types.js").Field} Field */

const PAUSE = 300; // ms after the last key before the list is updated

/** @param {HTMLElement} container */
export function showFilters(container) {
  /** @type {Field[]} */
  let fields = [];
  /** @type {string[]} the fields of the rows, also of those without a value */
  let names = Object.keys(get().where);
  /** @type {Record<string, any>} */
  let where = get().where;
  /** @type {number | undefined} */
  let pause;
  const title = h("span");
  const count = h("span", { class: "count" });
  const content = h("div", { class: "filter-rows" });
  const details = h(
    "details",
    { class: "filters", open: names.length > 0 || matchMedia("(min-width: 60rem)").matches },
    h("summary", {}, title, " ", count),
    content,
  );
  fill(container, details);

  async function load() {
    const { model } = get();
    try {
      fields = (await schemaOf(model)).item_fields;
      if (get().model === model) draw();
    } catch (error) {
      fill(content, failure(error, load));
    }
  }

  function draw() {
    title.textContent = t("filters");
    drawCount();
    const left = fields.filter((field) => !names.includes(field.name));
    fill(
      content,
      names.map(row),
      fields.length ? null : h("p", { class: "quiet" }, t("noFields")),
      left.length ? adder(left) : null,
      names.length > 1 ? button(t("clearFilters"), clear, { class: "link quiet" }) : null,
    );
  }

  function drawCount() {
    const n = Object.keys(where).length;
    count.textContent = n ? t("filterOn", n) : "";
  }

  /** @param {Field[]} left */
  function adder(left) {
    const id = newId();
    const select = h(
      "select",
      { id, on: { change: () => add(left[select.selectedIndex - 1].name) } },
      h("option", {}, t("chooseField")),
      left.map((field) => h("option", {}, fieldName(field.name))),
    );
    return h("div", { class: "field adder" }, h("label", { for: id }, t("addFilter")), select);
  }

  /** @param {string} name */
  function add(name) {
    names = [...names, name];
    draw();
    const row = content.querySelector(".filter:last-of-type");
    /** @type {HTMLElement | null} */ (row?.querySelector("input, select"))?.focus();
  }

  /** @param {string} name */
  function row(name) {
    const field = fields.find((candidate) => candidate.name === name);
    const label = fieldName(name);
    return h(
      "div",
      { class: "filter", role: "group", "aria-label": label },
      h(
        "div",
        { class: "filter-head" },
        h("span", { class: "filter-name" }, label),
        button(icon("close"), () => drop(name), { class: "bare", "aria-label": t("removeFilter", label) }),
      ),
      field && fits(field, where[name])
        ? editor(field, where[name], (rule) => change(name, rule))
        : h("code", {}, JSON.stringify(where[name])), // a rule of an address that this editor cannot show
    );
  }

  /** @param {string} name @param {any} rule undefined: no value */
  function change(name, rule) {
    where = { ...where };
    if (rule === undefined) delete where[name];
    else where[name] = rule;
    drawCount();
    clearTimeout(pause);
    pause = setTimeout(() => set({ where }), PAUSE);
  }

  /** @param {string} name */
  function drop(name) {
    names = names.filter((other) => other !== name);
    change(name, undefined);
    draw();
    content.querySelector("select")?.focus();
  }

  function clear() {
    names = [];
    where = {};
    set({ where });
    draw();
  }

  load();
  on(["model"], load);
  on(["language"], draw);
  on(["where"], (state) => {
    if (state.where === where) return; // changed by this panel
    clearTimeout(pause);
    where = state.where;
    names = Object.keys(where);
    draw();
  });
}
