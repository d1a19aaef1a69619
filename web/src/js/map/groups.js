// Groups of items and their colours. The largest groups have their own colour, the others share one.

/** @typedef {import("../types.js").Point} Point */
/** @typedef {{name: string | null, count: number, colour: number}} Group colour 0: shared */

const COLOURS = 10; // --group-1 to --group-10

/**
 * The groups, the largest first.
 *
 * @param {Point[]} points
 * @returns {Group[]}
 */
export function groupsOf(points) {
  /** @type {Map<string | null, number>} */
  const counts = new Map();
  for (const { group } of points) counts.set(group, (counts.get(group) ?? 0) + 1);
  const sorted = [...counts].sort((a, b) => b[1] - a[1] || String(a[0]).localeCompare(String(b[0])));
  let used = 0;
  return sorted.map(([name, count]) => {
    const coloured = name !== null && used < COLOURS;
    if (coloured) used += 1;
    return { name, count, colour: coloured ? used : 0 };
  });
}

/**
 * The colours of the current theme, in a format for the canvas.
 *
 * @param {HTMLElement} container an element of the page
 */
export function paints(container) {
  const probe = document.createElement("span");
  probe.hidden = true;
  container.append(probe);
  /** @param {string} name */
  const read = (name) => {
    probe.style.color = `var(--${name})`;
    return getComputedStyle(probe).color;
  };
  const groups = Array.from({ length: COLOURS + 1 }, (_, n) => read(`group-${n}`));
  const found = { groups, ink: read("ink"), ground: read("surface"), accent: read("accent"), quiet: read("muted") };
  probe.remove();
  return found;
}
