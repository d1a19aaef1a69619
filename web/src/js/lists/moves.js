// Where the items of one list are on another.

/** @typedef {import("../types.js").Listed} Listed */

/**
 * How many places higher each item is than on the other list; null: it is not on that one.
 *
 * @param {Listed[]} items
 * @param {Listed[]} others
 * @returns {(number | null)[]}
 */
export function moves(items, others) {
  const there = new Map(others.map((one) => [one.item_id, one.rank]));
  return items.map(({ item_id, rank }) => {
    const other = there.get(item_id);
    return other === undefined ? null : other - rank;
  });
}
