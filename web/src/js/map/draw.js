// Paints the map: points, the ranks of listed items, and as many titles as fit.

import { toScreen } from "./view.js";

/** @typedef {import("../types.js").Point} Point */
/** @typedef {import("./view.js").View} View */
/** @typedef {import("./view.js").Size} Size */
/** @typedef {ReturnType<typeof import("./groups.js").paints>} Paints */
/**
 * @typedef {object} Scene
 * @property {Point[]} points the most chosen first
 * @property {(point: Point) => number} colour
 * @property {(point: Point) => boolean} shown whether the group of the point is switched on
 * @property {Map<import("../types.js").Id, number>} ranks of the items on the list
 * @property {Set<import("../types.js").Id>} chosen items of the history
 * @property {Point | null} hovered
 * @property {Point | null} selected
 */

const TITLES = 22; // at most
const LONGEST = 28; // characters of a title

/**
 * @param {CanvasRenderingContext2D} pen
 * @param {Size} size
 * @param {View} view
 * @param {Scene} scene
 * @param {Paints} paints
 */
export function draw(pen, size, view, scene, paints) {
  pen.clearRect(0, 0, size.width, size.height);
  const most = Math.sqrt(Math.max(1, scene.points[0]?.interactions ?? 1));
  const grown = Math.min(2, view.scale ** 0.35);
  /** @type {{point: Point, at: [number, number], radius: number}[]} */
  const visible = [];
  for (const point of scene.points) {
    const at = toScreen(point, size, view);
    if (at[0] < -20 || at[1] < -20 || at[0] > size.width + 20 || at[1] > size.height + 20) continue;
    visible.push({ point, at, radius: (1.6 + (3.4 * Math.sqrt(point.interactions)) / most) * grown });
  }
  // The most chosen are painted last, on top.
  for (const { point, at, radius } of visible.toReversed()) {
    if (!scene.shown(point)) continue;
    pen.globalAlpha = scene.ranks.size ? 0.45 : 0.75;
    disc(pen, at, radius, paints.groups[scene.colour(point)]);
  }
  pen.globalAlpha = 1;
  for (const { point, at, radius } of visible) {
    if (scene.chosen.has(point.item_id)) square(pen, at, radius + 3, paints.ink);
  }
  for (const { point, at, radius } of visible.toReversed()) {
    const rank = scene.ranks.get(point.item_id);
    if (rank !== undefined) numbered(pen, at, Math.max(radius, 9), String(rank), paints);
  }
  for (const point of [scene.selected, scene.hovered]) {
    const mark = visible.find((placed) => placed.point === point);
    if (mark) ring(pen, mark.at, Math.max(mark.radius + 4, scene.ranks.has(mark.point.item_id) ? 13 : 7), paints.ink);
  }
  titles(pen, size, visible, scene, paints);
}

/** @param {CanvasRenderingContext2D} pen @param {[number, number]} at @param {number} radius @param {string} paint */
function disc(pen, at, radius, paint) {
  pen.fillStyle = paint;
  pen.beginPath();
  pen.arc(at[0], at[1], radius, 0, 2 * Math.PI);
  pen.fill();
}

/** @param {CanvasRenderingContext2D} pen @param {[number, number]} at @param {number} radius @param {string} paint */
function ring(pen, at, radius, paint) {
  pen.strokeStyle = paint;
  pen.lineWidth = 2;
  pen.beginPath();
  pen.arc(at[0], at[1], radius, 0, 2 * Math.PI);
  pen.stroke();
}

/** @param {CanvasRenderingContext2D} pen @param {[number, number]} at @param {number} half @param {string} paint */
function square(pen, at, half, paint) {
  pen.strokeStyle = paint;
  pen.lineWidth = 1.5;
  pen.strokeRect(at[0] - half, at[1] - half, 2 * half, 2 * half);
}

/** @param {CanvasRenderingContext2D} pen @param {[number, number]} at @param {number} radius @param {string} text @param {Paints} paints */
function numbered(pen, at, radius, text, paints) {
  disc(pen, at, radius + 1.5, paints.ground);
  disc(pen, at, radius, paints.accent);
  pen.fillStyle = paints.ground;
  pen.font = `600 ${text.length > 2 ? 9 : 11}px system-ui, sans-serif`;
  pen.textAlign = "center";
  pen.textBaseline = "middle";
  pen.fillText(text, at[0], at[1] + 0.5);
}

/**
 * Write the titles that fit without overlap. Hovered and selected items come first, then listed items,
 * then the most chosen.
 *
 * @param {CanvasRenderingContext2D} pen
 * @param {Size} size
 * @param {{point: Point, at: [number, number], radius: number}[]} visible
 * @param {Scene} scene
 * @param {Paints} paints
 */
function titles(pen, size, visible, scene, paints) {
  /** @param {Point} point */
  const priority = (point) =>
    point === scene.hovered || point === scene.selected ? 0 : scene.ranks.has(point.item_id) ? 1 : 2;
  const order = visible
    .filter(({ point }) => priority(point) < 2 || scene.shown(point))
    .sort((a, b) => priority(a.point) - priority(b.point)); // stable: the most chosen first
  pen.textAlign = "left";
  pen.textBaseline = "middle";
  pen.lineJoin = "round";
  /** @type {[number, number, number, number][]} */
  const taken = visible
    .filter(({ point }) => scene.ranks.has(point.item_id))
    .map(({ at, radius }) => mark(at, Math.max(radius, 9) + 2)); // no title covers a rank
  const most = taken.length + TITLES;
  for (const { point, at, radius } of order.slice(0, 400)) {
    if (taken.length >= most) break;
    const text = point.title.length > LONGEST ? `${point.title.slice(0, LONGEST - 1)}…` : point.title;
    pen.font = `${priority(point) < 2 ? 600 : 400} 12px system-ui, "Noto Sans KR", NanumGothic, sans-serif`;
    const width = pen.measureText(text).width;
    const gap = priority(point) < 2 ? Math.max(radius, 9) + 6 : radius + 4;
    const right = at[0] + gap + width > size.width - 4;
    const x = right ? at[0] - gap - width : at[0] + gap;
    /** @type {[number, number, number, number]} */
    const box = [x - 3, at[1] - 9, x + width + 3, at[1] + 9];
    if (box[0] < 0 || taken.some((other) => overlap(other, box))) continue;
    taken.push(box);
    pen.strokeStyle = paints.ground;
    pen.lineWidth = 4;
    pen.strokeText(text, x, at[1]);
    pen.fillStyle = priority(point) < 2 ? paints.ink : paints.quiet;
    pen.fillText(text, x, at[1]);
  }
}

/** @param {[number, number]} at @param {number} radius @returns {[number, number, number, number]} */
function mark([x, y], radius) {
  return [x - radius, y - radius, x + radius, y + radius];
}

/** @param {number[]} a @param {number[]} b */
function overlap(a, b) {
  return a[0] < b[2] && b[0] < a[2] && a[1] < b[3] && b[1] < a[3];
}
