// The visible part of the map. Converts coordinates (-1 to 1, y upwards) to pixels.

const MOST = 60; // the largest zoom
const MARGIN = 28; // px around the whole map

/** @typedef {{scale: number, x: number, y: number}} View zoom, and the centre of the view */
/** @typedef {{width: number, height: number}} Size in px */

/** @type {View} */
export const WHOLE = { scale: 1, x: 0, y: 0 };

/**
 * The number of pixels per unit of a coordinate.
 *
 * @param {Size} size
 * @param {View} view
 */
export function unit({ width, height }, { scale }) {
  return Math.max(Math.min(width, height) / 2 - MARGIN, 1) * scale;
}

/**
 * @param {{x: number, y: number}} point
 * @param {Size} size
 * @param {View} view
 * @returns {[number, number]}
 */
export function toScreen(point, size, view) {
  const u = unit(size, view);
  return [size.width / 2 + (point.x - view.x) * u, size.height / 2 - (point.y - view.y) * u];
}

/**
 * Zoom in or out. The position `at` on the screen keeps its content.
 *
 * @param {View} view
 * @param {Size} size
 * @param {number} factor
 * @param {[number, number]} [at] px; the middle by default
 * @returns {View}
 */
export function zoomed(view, size, factor, at = [size.width / 2, size.height / 2]) {
  const scale = Math.min(Math.max(view.scale * factor, 1), MOST);
  const [dx, dy] = [at[0] - size.width / 2, size.height / 2 - at[1]];
  const [before, after] = [unit(size, view), unit(size, { ...view, scale })];
  return bounded({ scale, x: view.x + dx / before - dx / after, y: view.y + dy / before - dy / after });
}

/**
 * @param {View} view
 * @param {Size} size
 * @param {number} dx px
 * @param {number} dy px
 * @returns {View}
 */
export function moved(view, size, dx, dy) {
  const u = unit(size, view);
  return bounded({ ...view, x: view.x - dx / u, y: view.y + dy / u });
}

/**
 * Centre the view on a point.
 *
 * @param {View} view
 * @param {{x: number, y: number}} point
 * @param {number} least the smallest zoom
 * @returns {View}
 */
export function centred(view, point, least) {
  return bounded({ scale: Math.max(view.scale, least), x: point.x, y: point.y });
}

/** @param {View} view @returns {View} */
function bounded({ scale, x, y }) {
  const far = scale === 1 ? 0 : 1; // the whole map stays centred
  return { scale, x: Math.min(Math.max(x, -far), far), y: Math.min(Math.max(y, -far), far) };
}
