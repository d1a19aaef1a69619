// Finds points near the pointer, near an item, and in a direction from it.

/** @typedef {import("../types.js").Point} Point */

/**
 * The points nearest to a point, the nearest first, without the point itself.
 *
 * @param {Point[]} points
 * @param {Point} from
 * @param {number} count
 */
export function nearest(points, from, count) {
  return points
    .filter((point) => point !== from)
    .map((point) => ({ point, distance: Math.hypot(point.x - from.x, point.y - from.y) }))
    .sort((a, b) => a.distance - b.distance)
    .slice(0, count)
    .map(({ point }) => point);
}

/**
 * The point nearest to a position on the screen, if it is within reach.
 *
 * @param {{point: Point, at: [number, number]}[]} placed
 * @param {[number, number]} position
 * @param {number} reach px
 */
export function pointAt(placed, [x, y], reach) {
  let best = null;
  let least = reach;
  for (const { point, at } of placed) {
    const distance = Math.hypot(at[0] - x, at[1] - y);
    if (distance <= least) [best, least] = [point, distance];
  }
  return best;
}

/**
 * The nearest point in a direction, within 45° of it.
 *
 * @param {Point[]} points
 * @param {Point} from
 * @param {[number, number]} direction of length 1, y upwards
 */
export function towards(points, from, [dx, dy]) {
  let best = null;
  let least = Infinity;
  for (const point of points) {
    const [x, y] = [point.x - from.x, point.y - from.y];
    const along = x * dx + y * dy;
    const distance = Math.hypot(x, y);
    const inside = distance > 0 && along >= distance * Math.SQRT1_2;
    if (inside && distance < least) [best, least] = [point, distance];
  }
  return best;
}
