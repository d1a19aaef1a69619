// Starts the page: asks which models there are, reads the address, and puts the parts in place.

import "./early.js"; // first: it sets the language that the other modules start with
import { followAddress, readHash } from "./address.js";
import { ask } from "./api.js";
import { showFilters } from "./asking/filters.js";
import { showPanel } from "./asking/panel.js";
import { byId, fill } from "./dom.js";
import { followItem } from "./item/dialog.js";
import { requestEarly } from "./lists/request.js";
import { showModels } from "./models.js";
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
  load();
}

async function load() {
  fill(byId("views"), waiting(6));
  let reply;
  try {
    const models = ask("models");
    requestEarly(readHash(location.hash));
    reply = await models;
  } catch (error) {
    fill(byId("views"), failure(error, load));
    return;
  }
  const { models, records } = reply;
  set({ models, records: records === true, ...readHash(location.hash, models) });
  followAddress();
  showModels(byId("models"));
  showViews(byId("views")); // before the panel: the list is requested first
  showPanel(byId("asking"));
  showFilters(byId("filters"));
  followItem(byId("item"));
}

// The script runs before the body is parsed.
document.addEventListener("DOMContentLoaded", main);
