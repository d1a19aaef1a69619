// The state is kept in the address, so that a view can be reloaded, shared, and returned to.
// It is the part after the '#', which browsers do not send to the service.

import { readJson, writeJson } from "./json.js";
import { START, get, on, set } from "./store.js";

/** @typedef {import("./store.js").State} State */
/** @typedef {import("./types.js").Id} Id */

/** @type {(keyof State)[]} */
const SHOWN = [
  "model", "other", "as", "user", "features", "history", "where", "k", "fresh", "diversity",
  "reasons", "view", "item", "by",
]; // prettier-ignore
// Changes of these add an entry to the browser history; other changes replace the current entry.
const STEPS = ["model", "other", "as", "user", "view", "item"];
const AS = ["user", "description", "history"];

/**
 * An id as text: unquoted if reading it gives the same id, otherwise JSON.
 *
 * @param {Id} id
 */
export function writeId(id) {
  if (typeof id !== "string") return String(id);
  return /^-?\d+$|^"/.test(id) ? JSON.stringify(id) : id;
}

/**
 * @param {string} text
 * @returns {Id}
 */
export function readId(text) {
  if (!/^-?\d+$|^".*"$/.test(text)) return text;
  try {
    return readJson(text);
  } catch {
    return text; // 007 is no JSON number
  }
}

/** @param {State} state */
export function writeHash(state) {
  const params = new URLSearchParams();
  if (state.models.length && state.model !== state.models[0].name) params.set("model", state.model);
  if (state.other !== null) params.set("with", state.other);
  if (state.as !== START.as) params.set("as", state.as);
  if (state.user !== null) params.set("user", writeId(state.user));
  for (const name of /** @type {const} */ (["features", "where"])) {
    if (Object.keys(state[name]).length) params.set(name, writeJson(state[name]));
  }
  if (state.history.length) params.set("history", writeJson(state.history));
  if (state.k !== START.k) params.set("k", String(state.k));
  if (!state.fresh) params.set("fresh", "no");
  if (state.diversity !== START.diversity) params.set("diversity", String(state.diversity));
  if (state.reasons) params.set("reasons", "yes");
  if (state.view !== START.view) params.set("view", state.view);
  if (state.item !== null) {
    params.set("item", writeId(state.item));
    if (state.by !== null && state.by !== state.model) params.set("by", state.by);
  }
  return params.toString();
}

/**
 * Read an address. Invalid parts are ignored.
 *
 * @param {string} hash
 * @param {State["models"] | null} [models] null: they are not known yet, every name is accepted
 * @returns {Partial<State>}
 */
export function readHash(hash, models = null) {
  const params = new URLSearchParams(hash.replace(/^#/, ""));
  /** @param {string | null} name */
  const named = (name) => (models === null || models.some((model) => model.name === name) ? name : null);
  const [model, other, as] = [params.get("model"), params.get("with"), params.get("as")];
  const [user, item, by] = [params.get("user"), params.get("item"), params.get("by")];
  const [k, diversity] = [Number(params.get("k")), Number(params.get("diversity"))];
  const history = parsed(params.get("history"));
  return {
    model: named(model) ?? models?.[0]?.name ?? "",
    other: named(other),
    as: AS.includes(as ?? "") ? /** @type {State["as"]} */ (as) : START.as,
    user: user === null ? null : readId(user),
    features: mapping(parsed(params.get("features"))),
    history: Array.isArray(history) ? history.filter(isId) : [],
    where: mapping(parsed(params.get("where"))),
    k: Number.isInteger(k) && k >= 1 ? k : START.k,
    fresh: params.get("fresh") !== "no",
    diversity: diversity >= 0 && diversity <= 1 ? diversity : START.diversity,
    reasons: params.get("reasons") === "yes",
    view: params.get("view") === "map" ? "map" : "list",
    item: item === null ? null : readId(item),
    by: named(by),
  };
}

/** @param {unknown} value */
function isId(value) {
  return ["string", "number", "bigint"].includes(typeof value);
}

/** @param {any} value */
function mapping(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? value : {};
}

/** @param {string | null} text */
function parsed(text) {
  try {
    return text === null ? null : readJson(text);
  } catch {
    return null;
  }
}

/** Keep the address and the state in sync from now on. */
export function followAddress() {
  on(SHOWN, (state, changed) => {
    const hash = writeHash(state);
    if (hash === location.hash.replace(/^#/, "")) return;
    const address = hash ? `#${hash}` : location.pathname + location.search;
    if (STEPS.some((name) => changed.has(name))) history.pushState(null, "", address);
    else history.replaceState(null, "", address);
  });
  addEventListener("popstate", () => {
    const read = /** @type {any} */ (readHash(location.hash, get().models));
    const current = /** @type {any} */ (get());
    // Equal values keep their identity, so that only real changes are drawn again.
    for (const name of Object.keys(read)) {
      if (writeJson(read[name]) === writeJson(current[name])) read[name] = current[name];
    }
    set(read);
  });
}
