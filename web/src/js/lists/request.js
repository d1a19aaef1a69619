// Requests a list from the service.

import { ask } from "../api.js";
import { writeJson } from "../json.js";
import { can, get } from "../store.js";
import { queryOf } from "./who.js";

/** @typedef {import("../store.js").State} State */
/** @typedef {import("../types.js").Listed} Listed */

/** @type {{body: string, reply: Promise<any>} | null} */
let early = null;

/**
 * Request the list of an address while the page still waits for the models. This saves a round
 * trip at the start.
 *
 * @param {Partial<State>} address
 */
export function requestEarly(address) {
  const state = { ...get(), ...address };
  const query = queryOf(state);
  if (query === null || state.reasons) return; // the models tell whether there are reasons
  const body = bodyOf(state.model, state, query);
  const reply = ask("recommendations", { body });
  reply.catch(() => {}); // `requestList` reports it
  early = { body: writeJson(body), reply };
}

/**
 * Request the list of a model.
 *
 * @param {string} model
 * @param {State} state
 * @param {Record<string, any>} query
 * @param {AbortSignal} signal
 * @returns {Promise<Listed[]>}
 */
export async function requestList(model, state, query, signal) {
  const body = bodyOf(model, state, query);
  const reply = early?.body === writeJson(body) ? early.reply : ask("recommendations", { body, signal });
  early = null; // it serves once
  return (await reply).lists[0].items;
}

/**
 * @param {string} model
 * @param {State} state
 * @param {Record<string, any>} query
 */
function bodyOf(model, { models, k, fresh, where, reasons }, query) {
  return {
    // Before the models are known, the default has no name.
    ...(model === "" || model === models[0]?.name ? {} : { model }),
    queries: [query],
    k,
    exclude_seen: fresh,
    reasons: reasons && can(model, "explain"),
    ...(Object.keys(where).length ? { where } : {}),
  };
}
