// Creates elements from data. Texts become text nodes: data is never parsed as markup.

/** @typedef {Node | string | number | null | undefined | false} Child */

const AS_PROPERTY = new Set(["checked", "disabled", "hidden", "value", "selected", "indeterminate"]);

/**
 * Create an element.
 *
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Record<string, any>} [given] attributes; `on` maps events to handlers; null: left out
 * @param {...(Child | Child[])} children
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function h(tag, given = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(given)) {
    if (name === "on") {
      for (const [event, handler] of Object.entries(value)) element.addEventListener(event, handler);
    } else if (AS_PROPERTY.has(name)) {
      /** @type {any} */ (element)[name] = value;
    } else if (value !== null && value !== undefined && value !== false) {
      element.setAttribute(name, value === true ? "" : String(value));
    }
  }
  element.append(...nodes(children));
  return element;
}

/**
 * Replace the children of an element.
 *
 * @param {Element} element
 * @param {...(Child | Child[])} children
 */
export function fill(element, ...children) {
  element.replaceChildren(...nodes(children));
}

/** @param {(Child | Child[])[]} children */
function nodes(children) {
  const kept = /** @type {(Node | string)[]} */ ([]);
  for (const child of children.flat()) {
    if (child === null || child === undefined || child === false) continue;
    kept.push(child instanceof Node ? child : String(child));
  }
  return kept;
}

/**
 * An icon of index.html. It is hidden from screen readers: its button has a name.
 *
 * @param {string} name
 */
export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", `#icon-${name}`);
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  svg.append(use);
  return svg;
}

/**
 * A button.
 *
 * @param {Child | Child[]} content
 * @param {(event: MouseEvent) => void} act
 * @param {Record<string, any>} [given]
 */
export function button(content, act, given = {}) {
  return h("button", { type: "button", ...given, on: { click: act } }, content);
}

let lastId = 0;

/** A new id for an element that another element refers to. */
export function newId() {
  lastId += 1;
  return `e${lastId}`;
}

/**
 * An element of index.html.
 *
 * @param {string} id
 */
export function byId(id) {
  const found = document.getElementById(id);
  if (!found) throw new Error(`the page has no #${id}`);
  return found;
}
