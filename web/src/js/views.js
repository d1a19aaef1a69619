// The result: lists, or a map of the catalogue.

import { button, fill, h, icon } from "./dom.js";
import { makeLists } from "./lists/lists.js";
import { makeOptions } from "./lists/options.js";
import { makeMap } from "./map/map.js";
import { announce } from "./parts/live.js";
import { makeTabs } from "./parts/tabs.js";
import { can, get, on, set } from "./store.js";
import { t } from "./words.js";

/** @param {HTMLElement} container */
export function showViews(container) {
  const list = h("div", {}, makeOptions(), makeLists());
  const map = makeMap();
  const tabs = makeTabs(
    t("views"),
    [
      { name: "list", title: () => t("viewList"), panel: list },
      { name: "map", title: () => t("viewMap"), panel: map },
    ],
    (view) => set({ view: /** @type {"list" | "map"} */ (view) }),
  );
  const tools = h("div", { class: "tools" });

  function drawTools() {
    fill(
      tools,
      button([icon("link"), t("copyLink")], copy, { class: "bare" }),
      button([icon("print"), t("print")], () => print(), { class: "bare" }),
    );
  }

  /** The map is offered where the model has one. */
  function offerMap() {
    const there = can(get().model, "map");
    tabs.offer("map", there);
    if (!there && get().view === "map") set({ view: "list" });
  }

  fill(container, h("div", { class: "bar" }, tabs.strip, tools), list, map);
  drawTools();
  offerMap();
  on(["model", "view"], offerMap);
  tabs.show(get().view);
  on(["view"], (state) => tabs.show(state.view));
  on(["language"], () => {
    tabs.relabel(t("views"));
    drawTools();
  });
}

async function copy() {
  try {
    await navigator.clipboard.writeText(location.href);
    announce(t("linkCopied"));
  } catch {
    announce(t("linkNotCopied")); // no permission, or no clipboard over plain HTTP
  }
}
