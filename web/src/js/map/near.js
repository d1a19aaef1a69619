// Who is near: to the pointer, to an item, and in a direction from it.

/** @typedef {import("../types.js").Point} Point */

/**
 * The points nearest to one, the nearest first, without itself.
 *
 * @param {Point[]} points
 * @param {Point} from
 * @param {number} count
 */
export function nearest(points, from, count) {
  return points
    .filter((one) => one !== from)
    .map((one) => ({ one, far: Math.hypot(one.x - from.x, one.y - from.y) }))
    .sort((a, b) => a.far - b.far)
    .slice(0, count)
    .map(({ one }) => one);
}

/**
 * The point at a place of the screen, if one is within reach; of several the nearest.
 *
 * @param {{point: Point, at: [number, number]}[]} placed
 * @param {[number, number]} place
 * @param {number} reach px
 */
export function pointAt(placed, [x, y], reach) {
  let best = null;
  let least = reach;
  for (const { point, at } of placed) {
    const far = Math.hypot(at[0] - x, at[1] - y);
    if (far <= least) [best, least] = [point, far];
  }
  return best;
}

/**
 * The next point in a direction: within 45° of it, the nearest.
 *
 * @param {Point[]} points
 * @param {Point} from
 * @param {[number, number]} direction of length 1, y upwards
 */
export function towards(points, from, [dx, dy]) {
  let best = null;
  let least = Infinity;
  for (const one of points) {
    const [x, y] = [one.x - from.x, one.y - from.y];
    const along = x * dx + y * dy;
    const far = Math.hypot(x, y);
    if (far > 0 && along >= far * Math.SQRT1_2 && far < least) [best, least] = [one, far];
  }
  return best;
}
