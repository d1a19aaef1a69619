// The legend of the map.

import { button, h } from "../dom.js";
import { t } from "../words.js";

/** @param {number} colour */
export function swatch(colour) {
  return h("span", { class: `swatch group-${colour}`, "aria-hidden": "true" });
}

/**
 * The groups and their colours. Each can be switched off.
 *
 * @param {import("./groups.js").Group[]} groups
 * @param {Set<number>} off
 * @param {() => void} paint
 */
export function legend(groups, off, paint) {
  const coloured = groups.filter((group) => group.colour);
  const rest = groups.filter((group) => !group.colour);
  if (!coloured.length) return null;
  const count = rest.reduce((sum, group) => sum + group.count, 0);
  const shown = [
    ...coloured.map(({ name, colour, count: n }) => ({ name: String(name), colour, n })),
    ...(count ? [{ name: rest.some((group) => group.name) ? t("others") : t("noGroup"), colour: 0, n: count }] : []),
  ];
  return h(
    "ul",
    { class: "legend", role: "list", "aria-label": t("legend") },
    shown.map(({ name, colour, n }) => {
      const key = button([swatch(colour), name, " ", h("span", { class: "quiet" }, n)], () => {
        if (!off.delete(colour)) off.add(colour);
        key.setAttribute("aria-pressed", String(!off.has(colour)));
        paint();
      }, { "aria-pressed": "true" }); // prettier-ignore
      return h("li", {}, key);
    }),
  );
}
