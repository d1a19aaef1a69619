// The parts of the map: the plot, its legend, a search, and a list of neighbours, which needs no plot.

import { button, fill, h, icon } from "../dom.js";
import { listedNow } from "../lists/lists.js";
import { combobox } from "../parts/combobox.js";
import { announce } from "../parts/live.js";
import { fold } from "../parts/values.js";
import { get, set } from "../store.js";
import { t } from "../words.js";
import { groupsOf } from "./groups.js";
import { legend, swatch } from "./legend.js";
import { nearest } from "./near.js";
import { makePlot } from "./plot.js";

/** @typedef {import("../types.js").Point} Point */
/** @typedef {import("../types.js").Id} Id */

const NEAR = 10; // neighbours in the list
const HITS = 20; // of a search
const CLOSE = 4; // zoom for an item that was searched for

/** @param {Point[]} points the most chosen first */
export function makeParts(points) {
  const groups = groupsOf(points);
  const colours = new Map(groups.map((group) => [group.name, group.colour]));
  /** @type {Set<number>} colours that are switched off */
  const off = new Set();
  const byId = new Map(points.map((point) => [point.item_id, point]));
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
    find: async (text) => points.filter((point) => fold(point.title).includes(fold(text))).slice(0, HITS),
    show: (/** @type {Point} */ hit) => [hit.title, t("itemHit", hit.interactions)],
    pick: (hit) => go(hit.item_id),
  });

  function paint() {
    const { as, history } = get();
    scene.ranks = new Map(listedNow().map((item) => [item.item_id, item.rank]));
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
        around.map((point) => h("li", {}, swatch(colour(point)), button(point.title, () => go(point.item_id), { class: "link" }))),
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
      legend(groups, off, paint),
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
    ),
    h("div", { class: "map-side" }, search.element, near),
  );
  drawNear();
  paint();
  return { element, paint, go };
}
