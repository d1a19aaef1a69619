// Several values in one field: type one, press Enter; each can be removed again.

import { button, fill, h, icon, newId } from "../dom.js";
import { t } from "../words.js";
import { announce } from "./live.js";

/**
 * @param {object} given
 * @param {string} given.name what the values are of
 * @param {any[]} given.known values to suggest
 * @param {any[]} given.values those that are there
 * @param {boolean} [given.strict] whether only known values are taken
 * @param {(values: any[]) => void} given.changed
 * @returns {{element: HTMLElement, input: HTMLInputElement}}
 */
export function valuesField({ name, known, values, strict = false, changed }) {
  const listId = newId();
  const byText = new Map(known.map((one) => [fold(String(one)), one]));
  let now = [...values];
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
      ? h("datalist", { id: listId }, known.map((one) => h("option", { value: String(one) })))
      : null,
  );
  draw();

  /** @param {KeyboardEvent} event */
  function key(event) {
    if (event.isComposing) return;
    if (event.key === "Enter") {
      event.preventDefault(); // it would send the form
      add();
    } else if (event.key === "Backspace" && input.value === "" && now.length) {
      remove(now.length - 1);
    }
  }

  function add() {
    const wanted = input.value.split(/[,;\n]/).map((one) => one.trim()).filter(Boolean);
    const whole = byText.get(fold(input.value.trim())); // a value may hold a comma itself
    const taken = (whole === undefined ? wanted.map((one) => byText.get(fold(one)) ?? (strict ? null : one)) : [whole])
      .filter((one) => one !== null && !now.includes(one));
    if (!wanted.length) return;
    input.value = "";
    if (!taken.length) return;
    now = [...now, ...new Set(taken)];
    draw();
    changed(now);
  }

  /** @param {number} place */
  function remove(place) {
    const gone = now[place];
    now = now.toSpliced(place, 1);
    draw();
    input.focus();
    announce(t("removed", String(gone)));
    changed(now);
  }

  function draw() {
    fill(chips, now.map((one, place) => chip(String(one), () => remove(place))));
    chips.hidden = !now.length;
  }

  return { element, input };
}

/**
 * A value that can be removed.
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
