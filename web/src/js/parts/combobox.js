// A text field that searches the service, and a list of hits to choose from
// (the combobox pattern of the ARIA Authoring Practices Guide).

import { isAbort } from "../api.js";
import { fill, h, newId } from "../dom.js";
import { t } from "../words.js";
import { announce } from "./live.js";
import { failure } from "./notice.js";

const PAUSE = 150; // ms after the last key before the service is asked

/**
 * @template Hit
 * @typedef {object} Search
 * @property {string} label
 * @property {string} hint
 * @property {string} none said where there are no hits
 * @property {(text: string, signal: AbortSignal) => Promise<Hit[]>} find
 * @property {(hit: Hit) => [string, string]} show a hit: its name, and something beside it
 * @property {(hit: Hit) => void} pick
 */

/**
 * @template Hit
 * @param {Search<Hit>} search
 * @returns {{element: HTMLElement, input: HTMLInputElement}}
 */
export function combobox({ label, hint, none, find, show, pick }) {
  const [inputId, listId] = [newId(), newId()];
  /** @type {Hit[]} */
  let hits = [];
  let marked = -1;
  /** @type {AbortController | null} */
  let asking = null;
  /** @type {number | undefined} */
  let pause;

  const input = h("input", {
    id: inputId,
    type: "text",
    role: "combobox",
    autocomplete: "off",
    spellcheck: "false",
    placeholder: hint,
    "aria-expanded": "false",
    "aria-controls": listId,
    "aria-autocomplete": "list",
    on: { input: later, focus: later, keydown: key, blur: close },
  });
  const list = h("ul", { id: listId, role: "listbox", "aria-label": t("hits"), hidden: true });
  const says = h("div", { class: "says", hidden: true });
  const element = h(
    "div",
    { class: "combobox" },
    h("label", { for: inputId }, label),
    h("div", { class: "combobox-field" }, input, list, says),
  );
  // The field keeps the focus while somebody clicks on a hit.
  list.addEventListener("pointerdown", (event) => event.preventDefault());

  function later() {
    clearTimeout(pause);
    pause = setTimeout(look, PAUSE);
  }

  async function look() {
    asking?.abort();
    asking = new AbortController();
    const { signal } = asking;
    try {
      const found = await find(input.value.trim(), signal);
      if (!signal.aborted && document.activeElement === input) open(found);
    } catch (error) {
      if (isAbort(error)) return;
      close();
      say(failure(error));
    }
  }

  /** @param {Hit[]} found */
  function open(found) {
    hits = found;
    fill(list, hits.map(option));
    say(hits.length ? null : none);
    list.hidden = !hits.length;
    input.setAttribute("aria-expanded", String(hits.length > 0));
    mark(-1);
    if (input.value.trim()) announce(hits.length ? t("found", hits.length) : none);
  }

  /** @param {Hit} hit @param {number} place */
  function option(hit, place) {
    const [name, beside] = show(hit);
    return h(
      "li",
      { role: "option", id: `${listId}-${place}`, "aria-selected": "false", on: { click: () => take(place) } },
      h("span", { class: "option-name" }, name),
      " ",
      h("span", { class: "option-beside" }, beside),
    );
  }

  /** @param {string | HTMLElement | null} what */
  function say(what) {
    fill(says, what);
    says.hidden = what === null;
  }

  function close() {
    clearTimeout(pause);
    asking?.abort();
    hits = [];
    list.hidden = true;
    input.setAttribute("aria-expanded", "false");
    input.removeAttribute("aria-activedescendant");
    marked = -1;
    say(null);
  }

  /** @param {number} place */
  function mark(place) {
    marked = place;
    for (const [at, one] of [...list.children].entries()) {
      one.setAttribute("aria-selected", String(at === place));
    }
    if (place < 0) {
      input.removeAttribute("aria-activedescendant");
      return;
    }
    input.setAttribute("aria-activedescendant", `${listId}-${place}`);
    list.children[place].scrollIntoView({ block: "nearest" });
  }

  /** @param {number} place */
  function take(place) {
    const hit = hits[place];
    input.value = "";
    close();
    pick(hit);
  }

  /** @param {KeyboardEvent} event */
  function key(event) {
    if (event.isComposing) return; // the keys belong to the input method: 한글
    const last = hits.length - 1;
    if (event.key === "Escape" && !list.hidden) {
      event.stopPropagation();
      close();
    } else if (event.key === "Enter" && hits.length) {
      take(Math.max(marked, 0));
    } else if (event.key === "ArrowDown" && !hits.length) {
      look();
    } else if (event.key === "ArrowDown") {
      mark(marked === last ? 0 : marked + 1);
    } else if (event.key === "ArrowUp" && hits.length) {
      mark(marked <= 0 ? last : marked - 1);
    } else {
      return;
    }
    event.preventDefault();
  }

  return { element, input };
}
