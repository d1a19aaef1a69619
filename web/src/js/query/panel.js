// Who the list is for: tabs for a user, a description, and a history.

import { fill } from "../dom.js";
import { makeTabs } from "../parts/tabs.js";
import { get, on, set } from "../store.js";
import { t } from "../words.js";
import { makeChosen } from "./chosen.js";
import { makeDescription } from "./description.js";
import { makePerson } from "./person.js";

/** @param {HTMLElement} container */
export function showPanel(container) {
  const [person, description, chosen] = [makePerson(), makeDescription(), makeChosen()];
  const tabs = makeTabs(
    t("who"),
    [
      { name: "user", title: () => t("asUser"), panel: person },
      { name: "description", title: () => t("asDescription"), panel: description },
      { name: "history", title: () => t("asHistory"), panel: chosen },
    ],
    (as) => set({ as: /** @type {import("../store.js").As} */ (as) }),
  );
  fill(container, tabs.strip, person, description, chosen);
  tabs.show(get().as);
  on(["as"], (state) => tabs.show(state.as));
  on(["language"], () => tabs.relabel(t("who")));
}
