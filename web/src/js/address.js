// The address says what is shown, so that it can be reloaded, shared, and gone back from.
// It stands after the '#', which browsers do not send to the service.

import { readJson, writeJson } from "./json.js";
import { START, get, on, set } from "./store.js";

/** @typedef {import("./store.js").State} State */
/** @typedef {import("./types.js").Id} Id */

/** @type {(keyof State)[]} */
const SHOWN = [
  "model", "other", "as", "user", "features", "history", "where", "k", "fresh", "reasons", "view",
  "item", "by",
]; // prettier-ignore
// Going back takes these back; the others change the present entry.
const STEPS = ["model", "other", "as", "user", "view", "item"];
const AS = ["user", "description", "history"];

/**
 * An id as text: bare where it is read back as it was, else as JSON.
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
  const said = new URLSearchParams();
  if (state.models.length && state.model !== state.models[0].name) said.set("model", state.model);
  if (state.other !== null) said.set("with", state.other);
  if (state.as !== START.as) said.set("as", state.as);
  if (state.user !== null) said.set("user", writeId(state.user));
  for (const name of /** @type {const} */ (["features", "where"])) {
    if (Object.keys(state[name]).length) said.set(name, writeJson(state[name]));
  }
  if (state.history.length) said.set("history", writeJson(state.history));
  if (state.k !== START.k) said.set("k", String(state.k));
  if (!state.fresh) said.set("fresh", "no");
  if (state.reasons) said.set("reasons", "yes");
  if (state.view !== START.view) said.set("view", state.view);
  if (state.item !== null) {
    said.set("item", writeId(state.item));
    if (state.by !== null && state.by !== state.model) said.set("by", state.by);
  }
  return said.toString();
}

/**
 * Read an address. Invalid parts are ignored.
 *
 * @param {string} hash
 * @param {State["models"] | null} [models] null: they are not known yet, every name is accepted
 * @returns {Partial<State>}
 */
export function readHash(hash, models = null) {
  const said = new URLSearchParams(hash.replace(/^#/, ""));
  /** @param {string | null} name */
  const named = (name) => (models === null || models.some((model) => model.name === name) ? name : null);
  const [model, other, as] = [said.get("model"), said.get("with"), said.get("as")];
  const [user, item, by] = [said.get("user"), said.get("item"), said.get("by")];
  const k = Number(said.get("k"));
  const history = json(said.get("history"));
  return {
    model: named(model) ?? models?.[0]?.name ?? "",
    other: named(other),
    as: AS.includes(as ?? "") ? /** @type {State["as"]} */ (as) : START.as,
    user: user === null ? null : readId(user),
    features: mapping(json(said.get("features"))),
    history: Array.isArray(history) ? history.filter(isId) : [],
    where: mapping(json(said.get("where"))),
    k: Number.isInteger(k) && k >= 1 ? k : START.k,
    fresh: said.get("fresh") !== "no",
    reasons: said.get("reasons") === "yes",
    view: said.get("view") === "map" ? "map" : "list",
    item: item === null ? null : readId(item),
    by: named(by),
  };
}

/** @param {unknown} one */
function isId(one) {
  return ["string", "number", "bigint"].includes(typeof one);
}

/** @param {any} value */
function mapping(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? value : {};
}

/** @param {string | null} text */
function json(text) {
  try {
    return text === null ? null : readJson(text);
  } catch {
    return null;
  }
}

/** Keep the address and the state in step, from now on. */
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
    const now = /** @type {any} */ (get());
    // Equal contents keep their identity, so that only what differs is shown anew.
    for (const name of Object.keys(read)) {
      if (writeJson(read[name]) === writeJson(now[name])) read[name] = now[name];
    }
    set(read);
  });
}
