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

  function draw() {
    svg.replaceChildren();
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
