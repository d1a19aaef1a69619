// A description of a person: a form made from the features of users.

import { schemaOf } from "../catalogue.js";
import { button, fill, h, newId } from "../dom.js";
import { fieldName } from "../format.js";
import { announce } from "../parts/live.js";
import { failure, waiting } from "../parts/notice.js";
import { can, get, modelOf, on, set } from "../store.js";
import { t } from "../words.js";
import { historyChips } from "./chosen.js";
import { fieldControl } from "./fields.js";
import { readText } from "./paste.js";

/** @typedef {import("../types.js").Field} Field */

export function makeDescription() {
  const panel = h("div", { class: "panel" });
  const chosen = historyChips(() => t("alsoChosen"), null);
  /** @type {Record<string, any>} the values in the form, also before it is submitted */
  let draft = { ...get().features };

  async function draw() {
    const { model } = get();
    if (!can(model, "features")) {
      fill(panel, cannot(model));
      return;
    }
    if (!panel.querySelector("form")) fill(panel, waiting(4));
    try {
      const { user_features } = await schemaOf(model);
      if (get().model === model) drawForm(user_features);
    } catch (error) {
      fill(panel, failure(error, draw));
    }
  }

  /** @param {Field[]} fields */
  function drawForm(fields) {
    if (!fields.length) {
      fill(panel, h("p", { class: "quiet" }, t("describeNoSchema")));
      return;
    }
    const status = h("p", { class: "status", role: "status" });
    const form = h(
      "form",
      { class: "form", on: { submit } },
      paste(fields, status),
      status,
      h("div", { class: "fields" }, controls(fields)),
      h(
        "div",
        { class: "buttons sticky" },
        h("button", { type: "submit", class: "main" }, t("describeAsk")),
        button(t("describeClear"), () => redraw({})),
      ),
    );
    fill(panel, form, chosen);

    /** @param {SubmitEvent} event */
    function submit(event) {
      event.preventDefault();
      status.textContent = Object.keys(draft).length ? "" : t("describeEmpty");
      if (Object.keys(draft).length) set({ features: { ...draft } });
    }

    /** @param {Record<string, any>} values */
    function redraw(values) {
      draft = values;
      status.textContent = "";
      fill(/** @type {Element} */ (form.querySelector(".fields")), controls(fields));
    }
  }

  /** @param {Field[]} fields */
  function controls(fields) {
    return fields.map((field) =>
      fieldControl(field, draft[field.name], (value) => {
        if (value === undefined) delete draft[field.name];
        else draft[field.name] = value;
      }),
    );
  }

  /**
   * @param {Field[]} fields
   * @param {HTMLElement} status
   */
  function paste(fields, status) {
    const id = newId();
    const area = h("textarea", { id, rows: 5 });
    return h(
      "details",
      { class: "paste" },
      h("summary", {}, t("pasteTitle")),
      h("label", { for: id }, t("pasteLabel")),
      area,
      button(t("pasteFill"), () => {
        const { found, unused } = readText(area.value, fields);
        const names = Object.keys(found);
        draft = { ...draft, ...found };
        const inputs = area.closest("form")?.querySelector(".fields");
        if (inputs) fill(inputs, controls(fields));
        fill(status, [
          names.length ? t("pasteFilled", names.map(fieldName).join(", ")) : t("pasteNothing"),
          unused.length ? h("span", { class: "unused quiet" }, t("pasteUnused", unused.join(" · "))) : null,
        ]);
      }),
    );
  }

  draw();
  on(["model", "language"], draw);
  on(["features"], (state) => {
    if (JSON.stringify(state.features) === JSON.stringify(draft)) return; // this form was submitted
    draft = { ...state.features };
    draw();
  });
  return panel;
}

/** @param {string} model */
function cannot(model) {
  const able = get().models.filter((model) => model.can.includes("features"));
  return h(
    "div",
    { class: "quiet" },
    h("p", {}, t("cannotDescribe", modelOf(model)?.name ?? model)),
    h("p", {}, able.length ? t("modelsThatCan") : t("noModelCan")),
    able.length
      ? h(
          "ul",
          { class: "picks", role: "list" },
          able.map(({ name }) => h("li", {}, button(name, () => choose(name)))),
        )
      : null,
  );
}

/** @param {string} model */
function choose(model) {
  set({ model });
  announce(`${t("model")}: ${model}`);
}
