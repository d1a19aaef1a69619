// What is asked for, in one place. Parts of the page read it, change it, and hear of changes.

/** @typedef {import("./types.js").Id} Id */
/** @typedef {"user" | "description" | "history"} As */
/**
 * @typedef {object} State
 * @property {import("./types.js").ModelInfo[]} models those that are loaded
 * @property {boolean} records whether the service records choices
 * @property {string} model the name of the model that lists
 * @property {string | null} other the name of a second one, beside it
 * @property {As} as who the list is for
 * @property {Id | null} user
 * @property {Record<string, any>} features the description
 * @property {Id[]} history chosen items, the latest last
 * @property {Record<string, any>} where the filters, as the service takes them
 * @property {number} k
 * @property {boolean} fresh whether what was chosen already is left out
 * @property {boolean} reasons whether every item shows its reasons
 * @property {"list" | "map"} view
 * @property {Id | null} item the item that is open
 * @property {string | null} by the model whose list it was opened from; null: the first
 * @property {string} language
 * @property {number} recorded how many choices were recorded since the page was opened
 */

/** @type {State} */
export const START = {
  models: [],
  records: false,
  model: "",
  other: null,
  as: "user",
  user: null,
  features: {},
  history: [],
  where: {},
  k: 10,
  fresh: true,
  reasons: false,
  view: "list",
  item: null,
  by: null,
  language: "en",
  recorded: 0,
};

/** @type {State} */
let state = START;
/** @type {{names: (keyof State)[], hear: (state: State, changed: Set<string>) => void}[]} */
const listeners = [];

export function get() {
  return state;
}

/**
 * Change some of the state, and tell those who listen to what is different now.
 *
 * @param {Partial<State>} change
 */
export function set(change) {
  const before = state;
  state = { ...state, ...change };
  const changed = new Set(
    Object.keys(change).filter((name) => {
      const key = /** @type {keyof State} */ (name);
      return before[key] !== state[key];
    }),
  );
  if (!changed.size) return;
  for (const { names, hear } of listeners) {
    if (names.some((name) => changed.has(name))) hear(state, changed);
  }
}

/**
 * Hear of changes.
 *
 * @param {(keyof State)[]} names of what
 * @param {(state: State, changed: Set<string>) => void} hear
 */
export function on(names, hear) {
  listeners.push({ names, hear });
}

/**
 * The loaded model of a name.
 *
 * @param {string | null} name
 */
export function modelOf(name) {
  return state.models.find((one) => one.name === name);
}

/**
 * Whether a model can do something that not all can.
 *
 * @param {string | null} name
 * @param {string} what
 */
export function can(name, what) {
  return modelOf(name)?.can.includes(what) ?? false;
}
