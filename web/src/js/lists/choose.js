// Records that a user chose an item: with the rating where the data has ratings, and with an undo.

import { ServiceError, ask, part } from "../api.js";
import { nameOf } from "../catalogue.js";
import { button, fill, h, icon, newId } from "../dom.js";
import { announce } from "../parts/live.js";
import { failure } from "../parts/notice.js";
import { get, modelOf, set } from "../store.js";
import { t } from "../words.js";

/** @typedef {import("../types.js").Id} Id */
/** @typedef {import("../types.js").Listed} Listed */
/** @typedef {import("../types.js").Ratings} Ratings */

/**
 * The button that records a choice.
 *
 * @param {Listed} item
 * @param {string} model
 * @param {HTMLElement} container where the rating is asked for, and where errors are shown
 */
export function chooseButton(item, model, container) {
  container.hidden = true;
  container.id = newId();
  const ratings = modelOf(model)?.ratings ?? null;
  const opener = button([icon("check"), t("choose")], act, {
    class: "small",
    "aria-label": t("chooseOf", nameOf(item)),
    "aria-expanded": ratings ? "false" : null,
    "aria-controls": ratings ? container.id : null,
    title: t("forUserShort", String(get().user)),
    "data-action": "choose",
  });

  function act() {
    if (!ratings) {
      record(item, null, opener, container);
      return;
    }
    container.hidden = !container.hidden;
    opener.setAttribute("aria-expanded", String(!container.hidden));
    if (container.hidden) return;
    fill(container, ratingForm(item, ratings, (rating) => record(item, rating, opener, container)));
    /** @type {HTMLElement | null} */ (container.querySelector("button, input"))?.focus();
  }

  return opener;
}

/**
 * Asks for the rating of an item, and shows whom it is for.
 *
 * @param {Listed} item
 * @param {Ratings} ratings
 * @param {(rating: number) => void} given
 */
function ratingForm(item, ratings, given) {
  const legend = h("p", { class: "rating-for" }, t("ratingFor", nameOf(item), String(get().user)));
  const { min, max, values } = ratings;
  if (values) {
    const choices = values.map((value) =>
      button(value, () => given(value), { class: "small", "aria-label": t("rating", value) }),
    );
    return h("div", { class: "rating", role: "group", "aria-label": t("ratings") }, legend, choices);
  }
  const input = h("input", { type: "number", min, max, step: "any", required: true, "aria-label": t("ratings") });
  return h(
    "form",
    {
      class: "rating",
      on: {
        submit: (/** @type {SubmitEvent} */ event) => {
          event.preventDefault();
          given(input.valueAsNumber);
        },
      },
    },
    legend,
    input,
    h("button", { type: "submit", class: "small" }, t("record")),
  );
}

/**
 * @param {Listed} item
 * @param {number | null} rating
 * @param {HTMLButtonElement} opener
 * @param {HTMLElement} container
 */
async function record(item, rating, opener, container) {
  opener.disabled = true;
  const { user } = get();
  try {
    const chosen = { user_id: user, item_id: item.item_id, ...(rating === null ? {} : { weight: rating }) };
    const { ids } = await ask("interactions", { body: { interactions: [chosen] } });
    announce(t("recorded", nameOf(item)));
    const name = nameOf(item);
    const text =
      rating === null ? t("recordedFor", name, String(user)) : t("ratedFor", name, rating, String(user));
    offerUndo(text, name, ids[0]);
    set({ recorded: get().recorded + 1 });
  } catch (error) {
    if (!(error instanceof ServiceError)) throw error;
    opener.disabled = false;
    fill(container, failure(error));
    container.hidden = false;
  }
}

/** @type {HTMLElement | null} */
let undoBar = null;

/**
 * Show what was recorded and for whom, until it is closed, taken back, or followed by another.
 *
 * @param {string} text
 * @param {string} name of the item
 * @param {number} id of the interaction
 */
function offerUndo(text, name, id) {
  undoBar?.remove();
  const bar = h("div", { class: "undo", role: "group", "aria-label": t("lastRecorded") });
  const undo = button(t("takeBack"), () => takeBack(id, name, bar, undo), {
    "aria-label": t("takeBackOf", name),
  });
  fill(
    bar,
    h("p", {}, text),
    undo,
    button(icon("close"), () => bar.remove(), { class: "bare", "aria-label": t("close") }),
  );
  document.body.append(bar);
  undoBar = bar;
}

/**
 * Take back a recorded choice.
 *
 * @param {number} id of the interaction
 * @param {string} name of the item
 * @param {HTMLElement} container for an error; emptied otherwise
 * @param {HTMLButtonElement} clicked
 */
export async function takeBack(id, name, container, clicked) {
  clicked.disabled = true;
  try {
    await ask(`interactions/${part(id)}`, { method: "DELETE" });
    announce(t("takenBack", name));
    undoBar?.remove();
    set({ recorded: get().recorded + 1 });
  } catch (error) {
    if (!(error instanceof ServiceError)) throw error;
    clicked.disabled = false;
    container.append(failure(error));
  }
}
