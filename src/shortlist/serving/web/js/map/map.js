// The map of the catalogue: a picture, a legend, and lists for whoever does not use the picture.

import { ask } from "../api.js";
import { seen } from "../catalogue.js";
import { button, fill, h, icon } from "../dom.js";
import { listedNow } from "../lists/lists.js";
import { combobox } from "../parts/combobox.js";
import { announce } from "../parts/live.js";
import { failure, waiting } from "../parts/notice.js";
import { fold } from "../parts/values.js";
import { can, get, on, set } from "../store.js";
import { t } from "../words.js";
import { groupsOf } from "./groups.js";
import { nearest } from "./near.js";
import { makePlot } from "./plot.js";

/** @typedef {import("../types.js").Point} Point */
/** @typedef {import("../types.js").Id} Id */

const NEAR = 10; // neighbours that are listed
const HITS = 20; // of a search
const CLOSE = 4; // times the whole, for an item that is looked for

/** @type {Map<string, Promise<{points: Point[]}>>} */
const maps = new Map();
/** @type {(id: Id) => void} */
let toPlace = () => {};

/**
 * Go to an item on the map.
 *
 * @param {Id} id
 */
export function placeOnMap(id) {
  toPlace(id);
}

export function makeMap() {
  const panel = h("div", { class: "map" });
  /** @type {Id | null} an item to go to once the map is there */
  let wanted = null;
  /** @type {string | null} */
  let drawn = null;
  /** @type {ReturnType<typeof makeParts> | null} */
  let parts = null;

  async function draw() {
    const { view, model } = get();
    if (view !== "map") return;
    if (!can(model, "map")) {
      parts = drawn = null;
      fill(panel, cannot(model));
      return;
    }
    if (drawn === model) return;
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

/** @param {string} model */
function cannot(model) {
  const able = get().models.filter((one) => one.can.includes("map"));
  return h(
    "div",
    { class: "empty" },
    h("p", {}, t("cannotMap", model)),
    h("p", {}, able.length ? t("modelsThatCan") : t("noModelCan")),
    h("ul", { class: "picks", role: "list" }, able.map(({ name }) => h("li", {}, button(name, () => set({ model: name }))))),
  );
}

/** @param {Point[]} points the most chosen first */
function makeParts(points) {
  const groups = groupsOf(points);
  const colours = new Map(groups.map((one) => [one.name, one.colour]));
  /** @type {Set<number>} colours that are switched off */
  const off = new Set();
  const byId = new Map(points.map((one) => [one.item_id, one]));
  /** @param {Point} point */
  const colour = (point) => colours.get(point.group) ?? 0;
  /** @type {import("./draw.js").Scene} */
  const scene = {
    points,
    colour,
    shown: (point) => !off.has(colour(point)),
    ranks: new Map(),
    chosen: new Set(),
    hovered: null,
    selected: null,
  };
  const plot = makePlot(scene, { select, open: (point) => set({ item: point.item_id, by: null }) });
  const near = h("div", { class: "near" });
  const search = combobox({
    label: t("findOnMap"),
    hint: t("findItemHint"),
    none: t("noItems"),
    find: async (text) => points.filter((one) => fold(one.title).includes(fold(text))).slice(0, HITS),
    show: (/** @type {Point} */ hit) => [hit.title, t("itemHit", hit.interactions)],
    pick: (hit) => go(hit.item_id),
  });

  function paint() {
    const { as, history } = get();
    scene.ranks = new Map(listedNow().map((one) => [one.item_id, one.rank]));
    scene.chosen = new Set(as === "user" ? [] : history);
    plot.paint();
  }

  /** @param {Point} point */
  function select(point) {
    scene.selected = point;
    plot.reveal(point);
    announce([point.title, point.group].filter(Boolean).join(", "));
    drawNear();
  }

  /** @param {Id} id */
  function go(id) {
    const point = byId.get(id);
    if (!point) {
      fill(near, h("p", { class: "notice", role: "alert" }, t("notOnMap")));
      return;
    }
    plot.centre(point, CLOSE);
    select(point);
  }

  function drawNear() {
    const { selected } = scene;
    if (!selected) {
      fill(near, h("p", { class: "quiet" }, t("nearestHint")));
      return;
    }
    const around = nearest(points, selected, NEAR);
    const rank = scene.ranks.get(selected.item_id);
    fill(
      near,
      h("h3", {}, selected.title),
      h(
        "p",
        { class: "quiet" },
        [selected.group, t("chosenTimes", selected.interactions), rank ? t("onList", rank) : null]
          .filter(Boolean)
          .join(" · "),
      ),
      button(t("openItem"), () => set({ item: selected.item_id, by: null }), { class: "main" }),
      h("h4", {}, t("nearest", selected.title)),
      h(
        "ol",
        { class: "plain", role: "list" },
        around.map((one) => h("li", {}, swatch(colour(one)), button(one.title, () => go(one.item_id), { class: "link" }))),
      ),
    );
  }

  const element = h(
    "div",
    { class: "map-parts" },
    h(
      "div",
      { class: "map-picture" },
      h("h2", { class: "list-title" }, t("mapTitle")),
      h("p", { class: "quiet", id: "map-hint" }, t("mapHint")),
      h(
        "div",
        { class: "map-frame" },
        plot.element,
        h(
          "div",
          { class: "zoom" },
          button(icon("plus"), plot.nearer, { "aria-label": t("zoomIn") }),
          button(icon("minus"), plot.further, { "aria-label": t("zoomOut") }),
          button(icon("whole"), plot.whole, { "aria-label": t("zoomAll") }),
        ),
      ),
      legend(groups, off, paint),
    ),
    h("div", { class: "map-side" }, search.element, near),
  );
  drawNear();
  paint();
  return { element, paint, go };
}

/** @param {number} colour */
function swatch(colour) {
  return h("span", { class: `swatch group-${colour}`, "aria-hidden": "true" });
}

/**
 * Which colour is which group; each can be switched off.
 *
 * @param {import("./groups.js").Group[]} groups
 * @param {Set<number>} off
 * @param {() => void} paint
 */
function legend(groups, off, paint) {
  const coloured = groups.filter((one) => one.colour);
  const rest = groups.filter((one) => !one.colour);
  if (!coloured.length) return null;
  const count = rest.reduce((sum, one) => sum + one.count, 0);
  const shown = [
    ...coloured.map(({ name, colour, count: n }) => ({ name: String(name), colour, n })),
    ...(count ? [{ name: rest.some((one) => one.name) ? t("others") : t("noGroup"), colour: 0, n: count }] : []),
  ];
  return h(
    "ul",
    { class: "legend", role: "list", "aria-label": t("legend") },
    shown.map(({ name, colour, n }) => {
      const key = button([swatch(colour), name, " ", h("span", { class: "quiet" }, n)], () => {
        if (!off.delete(colour)) off.add(colour);
        key.setAttribute("aria-pressed", String(!off.has(colour)));
        paint();
      }, { "aria-pressed": "true" }); // prettier-ignore
      return h("li", {}, key);
    }),
  );
}
