// Options of the lists: their length, and what they contain.

import { fill, h } from "../dom.js";
import { get, on, set } from "../store.js";
import { t } from "../words.js";

const LONGEST = 1000; // the service refuses longer lists
const DIVERSITY = [0, 0.3, 0.6]; // what the words of the choice stand for

export function makeOptions() {
  const container = h("div", { class: "options" });

  function draw() {
    const { k, fresh, diversity, reasons } = get();
    const length = h("input", {
      id: "k",
      type: "number",
      min: 1,
      max: LONGEST,
      step: 1,
      required: true,
      value: k,
      on: { change: () => length.reportValidity() && set({ k: length.valueAsNumber }) },
    });
    fill(
      container,
      h("span", { class: "option" }, h("label", { for: "k" }, t("k")), length),
      variety(diversity),
      box("fresh", fresh),
      box("reasons", reasons),
    );
  }

  /** @param {number} diversity */
  function variety(diversity) {
    const words = [t("varietyNone"), t("varietySome"), t("varietyMuch")]; // of DIVERSITY
    const values = DIVERSITY.includes(diversity) ? DIVERSITY : [...DIVERSITY, diversity];
    const select = h(
      "select",
      { id: "diversity", on: { change: () => set({ diversity: Number(select.value) }) } },
      values.map((value, n) =>
        h("option", { value, selected: value === diversity }, words[n] ?? String(value)),
      ),
    );
    return h("span", { class: "option" }, h("label", { for: "diversity" }, t("diversity")), select);
  }

  /** @param {"fresh" | "reasons"} name @param {boolean} value */
  function box(name, value) {
    const input = h("input", {
      id: name,
      type: "checkbox",
      checked: value,
      on: { change: () => set({ [name]: input.checked }) },
    });
    return h("label", { class: "option" }, input, " ", t(name));
  }

  draw();
  on(["language", "k", "fresh", "diversity", "reasons"], (_, changed) => {
    const focused = document.activeElement?.id;
    draw();
    if (focused && container.querySelector(`#${CSS.escape(focused)}`) && !changed.has("language")) {
      document.getElementById(focused)?.focus();
    }
  });
  return container;
}
