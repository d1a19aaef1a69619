// Form controls for the features of a user, one for each kind of feature.

import { h, newId } from "../dom.js";
import { fieldName, shortNumber, valueText } from "../format.js";
import { valuesField } from "../parts/values.js";
import { t } from "../words.js";

/** @typedef {import("../types.js").Field} Field */
/** @typedef {(value: any) => void} Changed gets undefined for an empty control */

/**
 * @param {Field} field
 * @param {any} value undefined: empty
 * @param {Changed} changed
 */
export function fieldControl(field, value, changed) {
  const id = newId();
  const { element, input } = control(field, value, changed);
  input.id = id;
  return h(
    "div",
    { class: "field", "data-kind": field.kind },
    h("label", { for: id }, fieldName(field.name)),
    element,
  );
}

/**
 * @param {Field} field
 * @param {any} value
 * @param {Changed} changed
 * @returns {{element: HTMLElement, input: HTMLElement}}
 */
function control(field, value, changed) {
  switch (field.kind) {
    case "number":
      if (field.labels) return single(choice(Object.keys(field.labels).map(Number), value, changed, field.name));
      return within(numberInput(value, changed, bounds(field)));
    case "flag":
      return single(choice([true, false], value, changed));
    case "category":
      return single(choice(field.values ?? [], value, changed, field.name));
    case "list": {
      const given = value === undefined ? [] : [value].flat();
      return valuesField({
        name: fieldName(field.name),
        known: field.values ?? [],
        values: given,
        changed: (values) => changed(values.length ? values : undefined),
      });
    }
    case "date":
      return single(dateInput(value, changed));
    default: {
      const area = h("textarea", {
        rows: 3,
        value: value ?? "",
        on: { input: () => changed(area.value.trim() || undefined) },
      });
      return single(area);
    }
  }
}

/** @param {HTMLElement} input whose messages follow it */
function within(input) {
  return { element: h("div", {}, input), input };
}

/** @param {HTMLElement} input */
function single(input) {
  return { element: input, input };
}

/**
 * @param {any} value
 * @param {Changed} changed
 * @param {string} hint
 */
export function numberInput(value, changed, hint) {
  const input = h("input", {
    type: "number",
    step: "any",
    inputmode: "decimal",
    placeholder: hint,
    value: value ?? "",
    on: { input: check },
  });
  const message = h("span", { class: "invalid", role: "alert" }, t("notNumber"));

  function check() {
    const bad = input.validity.badInput;
    input.setAttribute("aria-invalid", String(bad));
    if (bad) input.after(message);
    else message.remove();
    if (!bad) changed(input.value === "" ? undefined : input.valueAsNumber);
  }

  return input;
}

/**
 * @param {any} value
 * @param {Changed} changed
 */
export function dateInput(value, changed) {
  const input = h("input", {
    type: "date",
    value: String(value ?? "").slice(0, 10),
    on: { input: () => changed(input.value || undefined) },
  });
  return input;
}

/**
 * A choice of one value, or of none.
 *
 * @param {any[]} values
 * @param {any} value
 * @param {Changed} changed
 * @param {string} [name] of the field, for the labels of its values
 * @param {string} [none]
 */
export function choice(values, value, changed, name = undefined, none = t("unset")) {
  const all = value === undefined || values.includes(value) ? values : [value, ...values];
  const select = h(
    "select",
    { on: { change: () => changed(select.selectedIndex ? all[select.selectedIndex - 1] : undefined) } },
    h("option", { value: "" }, none),
    all.map((option) => h("option", { selected: option === value }, valueText(option, name))),
  );
  return select;
}

/**
 * The range of the values of a number field.
 *
 * @param {Field} field
 */
export function bounds({ min, max }) {
  if (min === null || min === undefined) return "";
  return min === max ? shortNumber(min) : `${shortNumber(min)}–${shortNumber(max)}`;
}
