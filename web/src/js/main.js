// Starts the page: loads the models, reads the address, and creates the parts of the page.

import "./early.js"; // first: it sets the language that the other modules start with
import { followAddress, readHash } from "./address.js";
import { ask, endPrefetch } from "./api.js";
import { showFilters } from "./query/filters.js";
import { foldOnPhones } from "./query/fold.js";
import { showPanel } from "./query/panel.js";
import { byId, fill } from "./dom.js";
import { followItem } from "./item/dialog.js";
import { prefetchLists } from "./lists/lists.js";
import { showModels } from "./models.js";
import { showOverview } from "./overview.js";
import { failure, waiting } from "./parts/notice.js";
import { showSettings } from "./settings.js";
import { on, set } from "./store.js";
import { showViews } from "./views.js";
import { currentLanguage, labelPage } from "./words.js";

function main() {
  set({ language: currentLanguage() });
  labelPage();
  on(["language"], labelPage);
  showSettings(byId("settings"));
  // The '#' of the address holds the state, so this link cannot use it: it moves the focus itself.
  document.querySelector(".skip")?.addEventListener("click", (event) => {
    event.preventDefault();
    byId("lists").focus();
  });
  showOverview(byId("overview"));
  load();
}

async function load() {
  fill(byId("views"), waiting(6));
  let reply;
  try {
    const models = ask("models");
    prefetchLists(readHash(location.hash));
    reply = await models;
  } catch (error) {
    endPrefetch();
    fill(byId("views"), failure(error, load));
    return;
  }
  const { models, records } = reply;
  set({ models, records: records === true, ...readHash(location.hash, models) });
  followAddress();
  showModels(byId("models"));
  showViews(byId("views")); // before the panel: the list is requested first
  showPanel(byId("query"));
  showFilters(byId("filters"));
  foldOnPhones(/** @type {HTMLElement} */ (byId("query").parentElement));
  followItem(byId("item"));
  endPrefetch();
}

// The script runs before the body is parsed.
document.addEventListener("DOMContentLoaded", main);
