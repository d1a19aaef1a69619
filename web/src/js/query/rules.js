// The editor of a filter: inputs for the rule of one field.

import { h } from "../dom.js";
import { fieldName, valueText } from "../format.js";
import { valuesField } from "../parts/values.js";
import { t } from "../words.js";
import { choice, dateInput, numberInput } from "./fields.js";

/** @typedef {import("../types.js").Field} Field */

const FEW = 8; // values that are shown as check boxes; more need a search
const RANGE = new Set(["gte", "lte"]);

/**
 * Whether the editor of a field can show a rule.
 *
 * @param {Field} field
 * @param {any} rule
 */
export function fits(field, rule) {
  if (rule === undefined) return true;
  const operators = typeof rule === "object" && !Array.isArray(rule) ? Object.keys(rule) : null;
  switch (field.kind) {
    case "number":
    case "date":
      return operators?.every((operator) => RANGE.has(operator)) ?? false;
    case "category":
      return Array.isArray(rule);
    case "flag":
      return typeof rule === "boolean";
    default:
      return operators?.length === 1 && operators[0] === "contains";
  }
}

/**
 * Create the inputs of a rule.
 *
 * @param {Field} field
 * @param {any} rule
 * @param {(rule: any) => void} changed
 */
export function editor(field, rule, changed) {
  const label = fieldName(field.name);
  switch (field.kind) {
    case "number":
    case "date":
      return range(field, { ...rule }, changed);
    case "category":
      return oneOf(field, rule ?? [], changed);
    case "flag":
      return named(choice([true, false], rule, changed, field.name, t("any")), label);
    case "list":
      return named(
        choice(field.values ?? [], rule?.contains, contains, field.name, t("any")),
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
    const update = (value) => {
      if (value === undefined) delete rule[operator];
      else rule[operator] = value;
      changed(Object.keys(rule).length ? { ...rule } : undefined);
    };
    const made =
      field.kind === "number"
        ? numberInput(rule[operator], update, bound === undefined || bound === null ? "" : valueText(bound))
        : dateInput(rule[operator], update);
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
      changed: (kept) => changed(kept.length ? kept : undefined),
    });
    named(input, label);
    return element;
  }
  const checked = new Set(chosen);
  return h(
    "div",
    { class: "boxes" },
    values.map((value) => {
      const box = h("input", {
        type: "checkbox",
        checked: checked.has(value),
        on: {
          change: () => {
            if (box.checked) checked.add(value);
            else checked.delete(value);
            changed(checked.size ? values.filter((known) => checked.has(known)) : undefined);
          },
        },
      });
      return h("label", {}, box, " ", valueText(value));
    }),
  );
}
