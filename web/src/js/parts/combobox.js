// A text field with a search, and a list of hits to choose from: the combobox pattern of the ARIA
// Authoring Practices Guide.

import { isAbort } from "../api.js";
import { fill, h, newId } from "../dom.js";
import { t } from "../words.js";
import { announce } from "./live.js";
import { failure } from "./notice.js";

const PAUSE = 150; // ms after the last key before the search starts

/**
 * @template Hit
 * @typedef {object} Search
 * @property {string} label
 * @property {string} hint
 * @property {string} none text if there are no hits
 * @property {(text: string, signal: AbortSignal) => Promise<Hit[]>} find
 * @property {(hit: Hit) => [string, string]} show the name of a hit, and a detail
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
  let controller = null;
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
    on: { input: changed, focus: searchSoon, keydown: key, blur: close },
  });
  const list = h("ul", { id: listId, role: "listbox", "aria-label": t("hits"), hidden: true });
  const status = h("div", { class: "status", hidden: true });
  const element = h(
    "div",
    { class: "combobox" },
    h("label", { for: inputId }, label),
    h("div", { class: "combobox-field" }, input, list, status),
  );
  // A click on a hit does not take the focus from the field.
  list.addEventListener("pointerdown", (event) => event.preventDefault());

  // Until the search answers, the list shows the hits of an older text.
  function changed() {
    list.ariaBusy = "true";
    searchSoon();
  }

  function searchSoon() {
    clearTimeout(pause);
    pause = setTimeout(search, PAUSE);
  }

  async function search() {
    controller?.abort();
    controller = new AbortController();
    const { signal } = controller;
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
    list.ariaBusy = null;
    fill(list, hits.map(option));
    say(hits.length ? null : none);
    list.hidden = !hits.length;
    input.setAttribute("aria-expanded", String(hits.length > 0));
    mark(-1);
    if (input.value.trim()) announce(hits.length ? t("found", hits.length) : none);
  }

  /** @param {Hit} hit @param {number} index */
  function option(hit, index) {
    const [name, detail] = show(hit);
    return h(
      "li",
      { role: "option", id: `${listId}-${index}`, "aria-selected": "false", on: { click: () => take(index) } },
      h("span", { class: "option-name" }, name),
      " ",
      h("span", { class: "option-detail" }, detail),
    );
  }

  /** @param {string | HTMLElement | null} content */
  function say(content) {
    fill(status, content);
    status.hidden = content === null;
  }

  function close() {
    clearTimeout(pause);
    controller?.abort();
    hits = [];
    list.ariaBusy = null;
    list.hidden = true;
    input.setAttribute("aria-expanded", "false");
    input.removeAttribute("aria-activedescendant");
    marked = -1;
    say(null);
  }

  /** @param {number} index */
  function mark(index) {
    marked = index;
    for (const [at, element] of [...list.children].entries()) {
      element.setAttribute("aria-selected", String(at === index));
    }
    if (index < 0) {
      input.removeAttribute("aria-activedescendant");
      return;
    }
    input.setAttribute("aria-activedescendant", `${listId}-${index}`);
    list.children[index].scrollIntoView({ block: "nearest" });
  }

  /** @param {number} index */
  function take(index) {
    const hit = hits[index];
    input.value = "";
    close();
    pick(hit);
  }

  /** @param {KeyboardEvent} event */
  function key(event) {
    if (event.isComposing) return; // an input method is using the keys, for Korean
    const last = hits.length - 1;
    if (event.key === "Escape" && !list.hidden) {
      event.stopPropagation();
      close();
    } else if (event.key === "Enter" && list.ariaBusy) {
      search();
    } else if (event.key === "Enter" && hits.length) {
      take(Math.max(marked, 0));
    } else if (event.key === "ArrowDown" && !hits.length) {
      search();
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
