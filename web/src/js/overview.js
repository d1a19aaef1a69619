// For whoever runs the service: requests, times, models, and lists that fell back to popularity.

import { ask } from "./api.js";
import { button, fill, h, icon } from "./dom.js";
import { failure, waiting } from "./parts/notice.js";
import { currentLanguage, t } from "./words.js";

/**
 * @typedef {{route: string, requests: number, failed: number, median_ms: number | null,
 *   p95_ms: number | null}} Traffic
 * @typedef {{name: string, kind: string, created: string, lists: number, popular: number,
 *   trouble: string | null}} Served
 */

const UNITS = /** @type {[Intl.RelativeTimeFormatUnit, number][]} */ ([
  ["day", 86_400],
  ["hour", 3_600],
  ["minute", 60],
]);

/** @param {HTMLElement} opener */
export function showOverview(opener) {
  const dialog = h("dialog", { class: "side", "aria-labelledby": "overview-title" });
  document.body.append(dialog);

  async function draw() {
    const content = h("div");
    fill(
      dialog,
      h(
        "div",
        { class: "dialog-head" },
        h("h2", { id: "overview-title", tabindex: "-1" }, t("overview")),
        button(icon("close"), () => dialog.close(), { class: "bare", "aria-label": t("close") }),
      ),
      content,
    );
    fill(content, waiting(6));
    try {
      const { seconds, routes, models } = await ask("overview");
      fill(content, h("p", { class: "quiet" }, t("startedAgo", ago(seconds))), modelTable(models), routeTable(routes));
    } catch (error) {
      fill(content, failure(error, draw));
    }
  }

  dialog.addEventListener("click", (event) => {
    if (event.target === dialog) dialog.close(); // a click outside
  });
  opener.addEventListener("click", () => {
    draw();
    dialog.showModal();
  });
}

/** @param {Served[]} models */
function modelTable(models) {
  const rows = models.map(({ name, kind, created, lists, popular, trouble }) => [
    h("span", {}, name, " ", h("span", { class: "quiet" }, kind), trouble ? h("p", { class: "stale" }, trouble) : null),
    ago((Date.now() - Date.parse(created)) / 1000),
    whole(lists),
    lists ? `${whole(popular)} (${share(popular / lists)})` : "–",
  ]);
  return table(t("models"), [t("model"), t("fitted"), t("lists"), t("fellBack")], rows);
}

/** @param {Traffic[]} routes */
function routeTable(routes) {
  const rows = routes.map(({ route, requests, failed, median_ms, p95_ms }) => [
    h("code", {}, route),
    whole(requests),
    whole(failed),
    milliseconds(median_ms),
    milliseconds(p95_ms),
  ]);
  return table(t("requests"), [t("route"), t("requests"), t("failed"), t("median"), "95%"], rows);
}

/**
 * @param {string} name
 * @param {string[]} heads
 * @param {(Node | string)[][]} rows
 */
function table(name, heads, rows) {
  return h(
    "table",
    { class: "figures-table" },
    h("caption", {}, name),
    h("thead", {}, h("tr", {}, heads.map((head) => h("th", { scope: "col" }, head)))),
    h("tbody", {}, rows.map(([first, ...others]) => h("tr", {}, h("th", { scope: "row" }, first), others.map((one) => h("td", {}, one))))),
  );
}

/** @param {number} value */
function whole(value) {
  return value.toLocaleString(currentLanguage());
}

/** @param {number} value */
function share(value) {
  return value.toLocaleString(currentLanguage(), { style: "percent", maximumFractionDigits: 1 });
}

/** @param {number | null} value */
function milliseconds(value) {
  return value === null ? "> 10 s" : `${value.toLocaleString(currentLanguage(), { maximumSignificantDigits: 2 })} ms`;
}

/**
 * How long ago something was.
 *
 * @param {number} seconds
 */
function ago(seconds) {
  const [unit, size] = UNITS.find(([, length]) => seconds >= length) ?? UNITS[2];
  return new Intl.RelativeTimeFormat(currentLanguage(), { numeric: "auto" }).format(-Math.round(seconds / size), unit);
}
