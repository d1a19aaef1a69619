// A field for several values: type a value and press Enter. Each value can be removed.

import { button, fill, h, icon, newId } from "../dom.js";
import { t } from "../words.js";
import { announce } from "./live.js";

/**
 * @param {object} given
 * @param {string} given.name the name of the field
 * @param {any[]} given.known values to suggest
 * @param {any[]} given.values the initial values
 * @param {boolean} [given.strict] whether only known values are taken
 * @param {(values: any[]) => void} given.changed
 * @returns {{element: HTMLElement, input: HTMLInputElement}}
 */
export function valuesField({ name, known, values, strict = false, changed }) {
  const listId = newId();
  const byText = new Map(known.map((value) => [fold(String(value)), value]));
  let current = [...values];
  const input = h("input", {
    type: "text",
    list: known.length ? listId : null,
    placeholder: t("valueHint"),
    autocomplete: "off",
    on: { keydown: key, change: add },
  });
  const chips = h("ul", { class: "chips", role: "list", "aria-label": name });
  const element = h(
    "div",
    { class: "values" },
    chips,
    input,
    known.length
      ? h("datalist", { id: listId }, known.map((value) => h("option", { value: String(value) })))
      : null,
  );
  draw();

  /** @param {KeyboardEvent} event */
  function key(event) {
    if (event.isComposing) return;
    if (event.key === "Enter") {
      event.preventDefault(); // do not submit the form
      add();
    } else if (event.key === "Backspace" && input.value === "" && current.length) {
      remove(current.length - 1);
    }
  }

  function add() {
    const parts = input.value.split(/[,;\n]/).map((part) => part.trim()).filter(Boolean);
    const whole = byText.get(fold(input.value.trim())); // a known value may contain a comma
    const added = (whole === undefined ? parts.map((part) => byText.get(fold(part)) ?? (strict ? null : part)) : [whole])
      .filter((value) => value !== null && !current.includes(value));
    if (!parts.length) return;
    input.value = "";
    if (!added.length) return;
    current = [...current, ...new Set(added)];
    draw();
    changed(current);
  }

  /** @param {number} index */
  function remove(index) {
    const removed = current[index];
    current = current.toSpliced(index, 1);
    draw();
    input.focus();
    announce(t("removed", String(removed)));
    changed(current);
  }

  function draw() {
    fill(chips, current.map((value, index) => chip(String(value), () => remove(index))));
    chips.hidden = !current.length;
  }

  return { element, input };
}

/**
 * A value with a button to remove it.
 *
 * @param {string} text
 * @param {() => void} remove
 */
export function chip(text, remove) {
  return h(
    "li",
    { class: "chip" },
    h("span", {}, text),
    button(icon("close"), remove, { "aria-label": t("removeValue", text), class: "bare" }),
  );
}

/** @param {string} text */
export function fold(text) {
  return text.normalize("NFKC").toLowerCase();
}
