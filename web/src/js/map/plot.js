// The plot of the map, with pointers and keys to move, zoom and select.

import { h } from "../dom.js";
import { t } from "../words.js";
import { draw } from "./draw.js";
import { paints } from "./groups.js";
import { pointAt, towards } from "./near.js";
import { WHOLE, centred, moved, toScreen, zoomed } from "./view.js";

/** @typedef {import("../types.js").Point} Point */
/** @typedef {import("./draw.js").Scene} Scene */

const REACH = 14; // px from a point that still select it
const STEP = 1.5; // zoom factor of a key or a button
const CLICK = 4; // px; a longer movement is a drag
/** @type {Record<string, [number, number]>} */
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };

/**
 * @param {Scene} scene after changing it, call `paint`
 * @param {{select: (point: Point) => void, open: (point: Point) => void}} actions
 */
export function makePlot(scene, actions) {
  const canvas = h("canvas", { tabindex: "0", role: "application", "aria-describedby": "map-hint" });
  const tip = h("div", { class: "tip", hidden: true });
  const element = h("div", { class: "plot" }, canvas, tip);
  const pen = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  let view = WHOLE;
  let size = { width: 0, height: 0 };
  let waiting = 0;
  /** @type {Map<number, [number, number]>} positions of the pointers that are down */
  const down = new Map();
  let travelled = 0;

  function paint() {
    if (!waiting) waiting = requestAnimationFrame(now);
  }

  function now() {
    waiting = 0;
    if (!size.width) return;
    draw(pen, size, view, scene, paints(element));
    canvas.setAttribute("aria-label", t("mapPlot", scene.points.length));
  }

  new ResizeObserver(() => {
    const { width, height } = element.getBoundingClientRect();
    if (!width) return; // not visible
    size = { width, height };
    const sharp = window.devicePixelRatio || 1;
    canvas.width = Math.round(width * sharp);
    canvas.height = Math.round(height * sharp);
    pen.setTransform(sharp, 0, 0, sharp, 0, 0);
    paint();
  }).observe(element);

  /** @param {typeof view} next */
  function look(next) {
    view = next;
    hover(null);
    paint();
  }

  /** @param {PointerEvent | WheelEvent} event @returns {[number, number]} */
  function positionOf(event) {
    const box = canvas.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  }

  /** @param {[number, number]} at */
  function find(at) {
    const placed = scene.points
      .filter((point) => scene.shown(point) || scene.ranks.has(point.item_id))
      .map((point) => ({ point, at: toScreen(point, size, view) }));
    return pointAt(placed, at, REACH);
  }

  /** @param {Point | null} point */
  function hover(point) {
    if (point === scene.hovered) return;
    scene.hovered = point;
    canvas.classList.toggle("pointing", point !== null);
    tip.hidden = point === null;
    if (point) {
      const [x, y] = toScreen(point, size, view);
      tip.replaceChildren(
        h("strong", {}, point.title),
        h("span", {}, [point.group, t("chosenTimes", point.interactions)].filter(Boolean).join(" · ")),
      );
      tip.classList.toggle("left", x > size.width / 2);
      tip.style.setProperty("--x", `${x}px`);
      tip.style.setProperty("--y", `${y}px`);
    }
    paint();
  }

  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    down.set(event.pointerId, positionOf(event));
    travelled = 0;
  });

  canvas.addEventListener("pointermove", (event) => {
    const at = positionOf(event);
    const before = down.get(event.pointerId);
    if (!before) {
      hover(find(at));
      return;
    }
    const others = [...down].filter(([id]) => id !== event.pointerId).map(([, position]) => position);
    down.set(event.pointerId, at);
    const [dx, dy] = [at[0] - before[0], at[1] - before[1]];
    travelled += Math.hypot(dx, dy);
    if (others.length) {
      const [still] = others; // two fingers: zoom by the change of their distance
      const [was, is] = [before, at].map(([x, y]) => Math.hypot(x - still[0], y - still[1]));
      look(zoomed(view, size, is / Math.max(was, 1), [(at[0] + still[0]) / 2, (at[1] + still[1]) / 2]));
    } else if (travelled > CLICK) {
      look(moved(view, size, dx, dy));
    }
  });

  /** @param {PointerEvent} event */
  function up(event) {
    const alone = down.delete(event.pointerId) && !down.size;
    if (event.type !== "pointerup" || !alone || travelled > CLICK) return;
    const point = find(positionOf(event));
    if (point) actions.select(point);
  }
  canvas.addEventListener("pointerup", up);
  canvas.addEventListener("pointercancel", up);
  canvas.addEventListener("pointerleave", () => hover(null));
  canvas.addEventListener("dblclick", (event) => {
    const point = find(positionOf(/** @type {any} */ (event)));
    if (point) actions.open(point);
  });
  canvas.addEventListener(
    "wheel",
    (event) => {
      const next = zoomed(view, size, 1.0015 ** -event.deltaY, positionOf(event));
      if (next.scale === view.scale) return; // at the limit: the page scrolls
      event.preventDefault();
      look(next);
    },
    { passive: false },
  );

  canvas.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const direction = ARROWS[event.key];
    if (direction) {
      const shown = scene.points.filter(scene.shown);
      const next = scene.selected ? towards(shown, scene.selected, direction) : shown[0];
      if (next) actions.select(next);
    } else if (event.key === "Enter" && scene.selected) {
      actions.open(scene.selected);
    } else if (event.key === "+" || event.key === "=") {
      zoom(STEP);
    } else if (event.key === "-") {
      zoom(1 / STEP);
    } else if (event.key === "0") {
      look(WHOLE);
    } else {
      return;
    }
    event.preventDefault();
  });

  /** @param {number} factor */
  function zoom(factor) {
    const middle = scene.selected ? toScreen(scene.selected, size, view) : undefined;
    look(zoomed(view, size, factor, middle));
  }

  return {
    element,
    paint,
    nearer: () => zoom(STEP),
    further: () => zoom(1 / STEP),
    whole: () => look(WHOLE),
    /** @param {Point} point @param {number} least */
    centre: (point, least) => look(centred(view, point, least)),
    /** Move the view so that a point is visible. @param {Point} point */
    reveal(point) {
      const [x, y] = toScreen(point, size, view);
      if (x < 20 || y < 20 || x > size.width - 20 || y > size.height - 20) look(centred(view, point, 1));
      else paint();
    },
  };
}
