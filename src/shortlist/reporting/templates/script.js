"use strict";
// Show the description of a mark when it is pointed at or touched. Without this script, browsers
// show the same text (the mark's title) after a delay.
const tip = document.getElementById("tip");
const marksOf = new Map();
for (const chart of document.querySelectorAll(".chart")) {
  const marks = [];
  for (const title of chart.querySelectorAll("title")) {
    marks.push({ element: title.parentNode, text: title.textContent });
    title.remove();
  }
  marksOf.set(chart, marks);
  if (!marks.length) continue;
  const circles = marks.filter((mark) => mark.element.tagName === "circle");
  let pointed = null;
  const leave = () => {
    tip.hidden = true;
    if (pointed) pointed.classList.remove("pointed");
    pointed = null;
  };
  const move = (event) => {
    const area = chart.viewBox.baseVal, bounds = chart.getBoundingClientRect();
    const scale = area.width / bounds.width;
    const x = (event.clientX - bounds.left) * scale, y = (event.clientY - bounds.top) * scale;
    let nearest = marks.find((mark) => mark.element === event.target), least = 16 ** 2;
    if (!nearest) {
      for (const mark of circles) {
        const dx = mark.element.cx.baseVal.value - x, dy = mark.element.cy.baseVal.value - y;
        if (dx * dx + dy * dy < least) { least = dx * dx + dy * dy; nearest = mark; }
      }
    }
    if (!nearest) { leave(); return; }
    if (pointed !== nearest.element) {
      leave();
      pointed = nearest.element;
      pointed.classList.add("pointed");
      tip.textContent = nearest.text;
      tip.hidden = false;
    }
    const left = Math.min(event.clientX + 14, window.innerWidth - tip.offsetWidth - 8);
    const below = event.clientY + 18 + tip.offsetHeight < window.innerHeight;
    tip.style.left = Math.max(8, left) + "px";
    tip.style.top = (below ? event.clientY + 18 : event.clientY - tip.offsetHeight - 10) + "px";
  };
  chart.addEventListener("pointermove", move);
  chart.addEventListener("pointerdown", move);
  chart.addEventListener("pointerleave", leave);
}
// Highlight items on the map by a part of their title.
const field = document.getElementById("find-item");
if (field) {
  const chart = document.querySelector(".map .chart"), status = document.getElementById("map-matches");
  field.closest(".find").hidden = false;
  field.addEventListener("input", () => {
    const query = field.value.trim().toLocaleLowerCase();
    const names = [];
    for (const { element, text } of marksOf.get(chart)) {
      const match = query !== "" && text.toLocaleLowerCase().includes(query);
      element.classList.toggle("match", match);
      if (match) names.push(text);
    }
    chart.classList.toggle("searching", query !== "");
    const first = names.slice(0, 3).join("; ");
    if (query === "") status.textContent = "";
    else if (names.length > 3) status.textContent = `${names.length} items: ${first}, …`;
    else status.textContent = names.length ? first : "no item";
  });
}
// Print everything.
window.addEventListener("beforeprint", () => {
  for (const details of document.querySelectorAll("details")) details.open = true;
});
