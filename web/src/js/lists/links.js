// Lines between two lists that join the rows of the same item.

const SVG = "http://www.w3.org/2000/svg";

/**
 * Draw the lines, again whenever the size of the lists changes.
 *
 * @param {HTMLElement} columns the element that holds two columns
 */
export function linkLists(columns) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", "links");
  svg.setAttribute("aria-hidden", "true");
  columns.append(svg);
  const [left, right] = [...columns.querySelectorAll(".column")].map(rowsOf);

  const lists = [...columns.querySelectorAll(".list")].map((list) => /** @type {HTMLElement[]} */ ([...list.children]));

  /** Give the rows of the same rank the same height, if the lists are side by side. */
  function align() {
    if (lists.length < 2) return;
    for (const row of lists.flat()) row.style.minHeight = "";
    const [one, other] = lists;
    if (!one[0] || !other[0] || one[0].getBoundingClientRect().right > other[0].getBoundingClientRect().left) return;
    const heights = lists.map((rows) => rows.map((row) => row.getBoundingClientRect().height));
    for (const rows of lists) {
      rows.forEach((row, rank) => (row.style.minHeight = `${Math.max(...heights.map((all) => all[rank] ?? 0))}px`));
    }
  }

  function draw() {
    svg.replaceChildren();
    align();
    const frame = columns.getBoundingClientRect();
    for (const [item, row] of left) {
      const other = right.get(item);
      if (!other) continue;
      const [from, to] = [row.getBoundingClientRect(), other.getBoundingClientRect()];
      if (from.right >= to.left) return; // on a narrow screen the columns are below each other
      const [x1, x2] = [from.right - frame.left, to.left - frame.left];
      const [y1, y2] = [from, to].map((box) => box.top + MIDDLE - frame.top);
      const middle = (x1 + x2) / 2;
      const path = document.createElementNS(SVG, "path");
      path.setAttribute("d", `M${x1} ${y1}C${middle} ${y1} ${middle} ${y2} ${x2} ${y2}`);
      path.dataset.item = item;
      svg.append(path);
    }
  }

  const watch = new ResizeObserver(draw);
  watch.observe(columns);
  for (const rows of [left, right]) for (const row of rows.values()) watch.observe(row);

  /** @param {Event} event @param {boolean} on */
  const highlight = (event, on) => {
    const row = /** @type {HTMLElement} */ (event.target).closest?.(".row");
    if (!row) return;
    const { item } = /** @type {HTMLElement} */ (row).dataset;
    for (const element of columns.querySelectorAll(".row, .links path")) {
      const same = /** @type {HTMLElement} */ (element).dataset.item === item;
      element.classList.toggle("highlighted", on && same);
    }
  };
  columns.addEventListener("pointerover", (event) => highlight(event, true));
  columns.addEventListener("pointerout", (event) => highlight(event, false));
  columns.addEventListener("focusin", (event) => highlight(event, true));
  columns.addEventListener("focusout", (event) => highlight(event, false));
}

const MIDDLE = 22; // px from the top of a row to the middle of its title

/** @param {Element} column @returns {Map<string, HTMLElement>} */
function rowsOf(column) {
  const rows = /** @type {HTMLElement[]} */ ([...column.querySelectorAll(".row")]);
  return new Map(rows.map((row) => [row.dataset.item ?? "", row]));
}
