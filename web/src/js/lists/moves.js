// Compares the ranks of the items of two lists.

/** @typedef {import("../types.js").Listed} Listed */

/**
 * How many ranks higher each item is than on the other list; null: it is not on the other list.
 *
 * @param {Listed[]} items
 * @param {Listed[]} others
 * @returns {(number | null)[]}
 */
export function moves(items, others) {
  const otherRanks = new Map(others.map((item) => [item.item_id, item.rank]));
  return items.map(({ item_id, rank }) => {
    const other = otherRanks.get(item_id);
    return other === undefined ? null : other - rank;
  });
}
