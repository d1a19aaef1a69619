// The map of the catalogue. It is fetched once for each model, when it is shown.

import { ask } from "../api.js";
import { seen } from "../catalogue.js";
import { fill, h } from "../dom.js";
import { failure, waiting } from "../parts/notice.js";
import { can, get, on } from "../store.js";
import { makeParts } from "./parts.js";

/** @typedef {import("../types.js").Point} Point */
/** @typedef {import("../types.js").Id} Id */

/** @type {Map<string, Promise<{points: Point[]}>>} */
const maps = new Map();
/** @type {(id: Id) => void} */
let toPlace = () => {};

/**
 * Show an item on the map.
 *
 * @param {Id} id
 */
export function placeOnMap(id) {
  toPlace(id);
}

export function makeMap() {
  const panel = h("div", { class: "map" });
  /** @type {Id | null} an item to show when the map has loaded */
  let wanted = null;
  /** @type {string | null} */
  let drawn = null;
  /** @type {ReturnType<typeof makeParts> | null} */
  let parts = null;

  async function draw() {
    const { view, model } = get();
    if (view !== "map" || !can(model, "map") || drawn === model) return;
    fill(panel, waiting(6));
    try {
      const { points } = await mapOf(model);
      if (get().model !== model) return;
      seen(points);
      parts = makeParts([...points].sort((a, b) => b.interactions - a.interactions));
      drawn = model;
      fill(panel, parts.element);
      if (wanted !== null) parts.go(wanted);
      wanted = null;
    } catch (error) {
      fill(panel, failure(error, draw));
    }
  }

  toPlace = (id) => {
    if (parts) parts.go(id);
    else wanted = id;
  };
  draw();
  on(["view", "model"], draw);
  on(["language"], () => {
    drawn = null;
    draw();
  });
  on(["history"], () => parts?.paint());
  document.addEventListener("listed", () => parts?.paint());
  document.documentElement.addEventListener("themechange", () => parts?.paint());
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => parts?.paint());
  return panel;
}

/** @param {string} model */
function mapOf(model) {
  let map = maps.get(model);
  if (!map) {
    map = ask("map", { query: { model } });
    map.catch(() => maps.delete(model));
    maps.set(model, map);
  }
  return map;
}
