// Rules over the fields of items, made from the schema, as the structured `where` of the service.

import { schemaOf } from "../catalogue.js";
import { button, fill, h, icon, newId } from "../dom.js";
import { fieldName, valueText } from "../format.js";
import { failure } from "../parts/notice.js";
import { valuesField } from "../parts/values.js";
import { get, on, set } from "../store.js";
import { t } from "../words.js";
import { choice, dateInput, numberInput } from "./fields.js";

/** @typedef {import("../types.js").Field} Field */

const FEW = 8; // values that are shown as boxes to tick
const PAUSE = 300; // ms after the last key before the list follows
const RANGE = new Set(["gte", "lte"]);

/** @param {HTMLElement} place */
export function showFilters(place) {
  /** @type {Field[]} */
  let fields = [];
  /** @type {string[]} those that are shown, with a value or still without */
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
  fill(place, details);

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
    const field = fields.find((one) => one.name === name);
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
        : h("code", {}, JSON.stringify(where[name])), // from an address that somebody wrote
    );
  }

  /** @param {string} name @param {any} rule undefined: none yet */
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
    names = names.filter((one) => one !== name);
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
    if (state.where === where) return; // it was changed here
    clearTimeout(pause);
    where = state.where;
    names = Object.keys(where);
    draw();
  });
}

/**
 * Whether a rule is one that the editor of its field makes.
 *
 * @param {Field} field
 * @param {any} rule
 */
function fits(field, rule) {
  if (rule === undefined) return true;
  const operators = typeof rule === "object" && !Array.isArray(rule) ? Object.keys(rule) : null;
  switch (field.kind) {
    case "number":
    case "date":
      return operators?.every((one) => RANGE.has(one)) ?? false;
    case "category":
      return Array.isArray(rule);
    case "flag":
      return typeof rule === "boolean";
    default:
      return operators?.length === 1 && operators[0] === "contains";
  }
}

/**
 * @param {Field} field
 * @param {any} rule
 * @param {(rule: any) => void} changed
 */
function editor(field, rule, changed) {
  const label = fieldName(field.name);
  switch (field.kind) {
    case "number":
    case "date":
      return range(field, { ...rule }, changed);
    case "category":
      return oneOf(field, rule ?? [], changed);
    case "flag":
      return named(choice([true, false], rule, changed, t("any")), label);
    case "list":
      return named(
        choice(field.values ?? [], rule?.contains, contains, t("any")),
        `${label}, ${t("has")}`,
      );
    default: {
      const input = h("input", {
        type: "search",
        value: rule?.contains ?? "",
        placeholder: t("contains"),
        on: { input: () => contains(input.value || undefined) },
      });
      return named(input, `${label}, ${t("contains")}`);
    }
  }

  /** @param {any} value */
  function contains(value) {
    changed(value === undefined ? undefined : { contains: value });
  }
}

/**
 * @param {HTMLElement} input
 * @param {string} name
 */
function named(input, name) {
  input.setAttribute("aria-label", name);
  return input;
}

/**
 * @param {Field} field
 * @param {Record<string, any>} rule
 * @param {(rule: any) => void} changed
 */
function range(field, rule, changed) {
  const label = fieldName(field.name);
  /** @param {"gte" | "lte"} operator @param {any} bound */
  const input = (operator, bound) => {
    /** @param {any} value */
    const take = (value) => {
      if (value === undefined) delete rule[operator];
      else rule[operator] = value;
      changed(Object.keys(rule).length ? { ...rule } : undefined);
    };
    const made =
      field.kind === "number"
        ? numberInput(rule[operator], take, bound === undefined || bound === null ? "" : valueText(bound))
        : dateInput(rule[operator], take);
    return named(made, t(operator === "gte" ? "fromOf" : "toOf", label));
  };
  return h(
    "div",
    { class: "range" },
    input("gte", field.min),
    h("span", { "aria-hidden": "true" }, "–"),
    input("lte", field.max),
  );
}

/**
 * @param {Field} field
 * @param {any[]} chosen
 * @param {(rule: any) => void} changed
 */
function oneOf(field, chosen, changed) {
  const values = field.values ?? [];
  if (values.length > FEW) {
    const label = `${fieldName(field.name)}, ${t("isOneOf")}`;
    const { element, input } = valuesField({
      name: label,
      known: values,
      values: chosen,
      strict: true,
      changed: (now) => changed(now.length ? now : undefined),
    });
    named(input, label);
    return element;
  }
  const now = new Set(chosen);
  return h(
    "div",
    { class: "boxes" },
    values.map((value) => {
      const box = h("input", {
        type: "checkbox",
        checked: now.has(value),
        on: {
          change: () => {
            if (box.checked) now.add(value);
            else now.delete(value);
            changed(now.size ? values.filter((one) => now.has(one)) : undefined);
          },
        },
      });
      return h("label", {}, box, " ", valueText(value));
    }),
  );
}
