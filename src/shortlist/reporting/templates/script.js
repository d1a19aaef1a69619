"use strict";
// What a mark says, when it is pointed at or touched; titles do the same, later, without a script.
const tip = document.getElementById("tip");
const marks = new Map();
for (const chart of document.querySelectorAll(".chart")) {
  const found = [];
  for (const title of chart.querySelectorAll("title")) {
    const mark = title.parentNode;
    found.push({ mark, said: title.textContent });
    title.remove();
  }
  marks.set(chart, found);
  if (!found.length) continue;
  const round = found.filter((one) => one.mark.tagName === "circle");
  let pointed = null;
  const leave = () => {
    tip.hidden = true;
    if (pointed) pointed.classList.remove("pointed");
    pointed = null;
  };
  const move = (event) => {
    const area = chart.viewBox.baseVal, shown = chart.getBoundingClientRect();
    const scale = area.width / shown.width;
    const x = (event.clientX - shown.left) * scale, y = (event.clientY - shown.top) * scale;
    let near = found.find((one) => one.mark === event.target), least = 16 ** 2;
    if (!near) {
      for (const one of round) {
        const dx = one.mark.cx.baseVal.value - x, dy = one.mark.cy.baseVal.value - y;
        if (dx * dx + dy * dy < least) { least = dx * dx + dy * dy; near = one; }
      }
    }
    if (!near) { leave(); return; }
    if (pointed !== near.mark) {
      leave();
      pointed = near.mark;
      pointed.classList.add("pointed");
      tip.textContent = near.said;
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
// Finding items on the map by a part of their title.
const field = document.getElementById("find-item");
if (field) {
  const chart = document.querySelector(".map .chart"), told = document.getElementById("found-items");
  field.closest(".find").hidden = false;
  field.addEventListener("input", () => {
    const wanted = field.value.trim().toLocaleLowerCase();
    let names = [];
    for (const { mark, said } of marks.get(chart)) {
      const match = wanted !== "" && said.toLocaleLowerCase().includes(wanted);
      mark.classList.toggle("match", match);
      if (match) names.push(said);
    }
    chart.classList.toggle("searching", wanted !== "");
    const shown = names.slice(0, 3).join("; ");
    told.textContent = wanted === "" ? "" : names.length > 3 ? `${names.length} items: ${shown}, …` : names.length ? shown : "no item";
  });
}
// Paper shows everything.
window.addEventListener("beforeprint", () => {
  for (const one of document.querySelectorAll("details")) one.open = true;
});
