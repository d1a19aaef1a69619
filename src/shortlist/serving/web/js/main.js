// Starts the page: asks which models there are, reads the address, and puts the parts in place.

import { followAddress, readHash } from "./address.js";
import { ask } from "./api.js";
import { showFilters } from "./asking/filters.js";
import { showPanel } from "./asking/panel.js";
import { byId, fill } from "./dom.js";
import { followItem } from "./item/dialog.js";
import { failure, waiting } from "./parts/notice.js";
import { showModels } from "./models.js";
import { showSettings } from "./settings.js";
import { on, set } from "./store.js";
import { showViews } from "./views.js";
import { currentLanguage, labelPage } from "./words.js";

set({ language: currentLanguage() });
labelPage();
on(["language"], labelPage);
showSettings(byId("settings"));

// The '#' of the address belongs to the state, so the link moves the focus by itself.
document.querySelector(".skip")?.addEventListener("click", (event) => {
  event.preventDefault();
  byId("lists").focus();
});

async function start() {
  fill(byId("views"), waiting(6));
  let told;
  try {
    told = await ask("models");
  } catch (error) {
    fill(byId("views"), failure(error, start));
    return;
  }
  const { models, records } = told;
  set({ models, records: records === true, ...readHash(location.hash, models) });
  followAddress();
  showModels(byId("models"));
  showPanel(byId("asking"));
  showFilters(byId("filters"));
  showViews(byId("views"));
  followItem(byId("item"));
}

start();
