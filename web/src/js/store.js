// The state of the page. Its parts read it, change it, and subscribe to changes.

/** @typedef {import("./types.js").Id} Id */
/** @typedef {"user" | "description" | "history"} As */
/**
 * @typedef {object} State
 * @property {import("./types.js").ModelInfo[]} models the loaded models
 * @property {boolean} records whether the service records choices
 * @property {string} model the name of the chosen model
 * @property {string | null} other the name of a second model, to compare with
 * @property {As} as who the list is for
 * @property {Id | null} user
 * @property {Record<string, any>} features the description
 * @property {Id[]} history chosen items, the latest last
 * @property {Record<string, any>} where the filters, in the format of the service
 * @property {number} k
 * @property {boolean} fresh whether items that were already chosen are left out
 * @property {number} diversity how much the list is varied: 0, the best scores, to 1
 * @property {boolean} reasons whether every item shows its reasons
 * @property {"list" | "map"} view
 * @property {Id | null} item the open item
 * @property {string | null} by the model from whose list it was opened; null: the chosen model
 * @property {string} language
 * @property {number} recorded the number of choices recorded since the page was opened
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
  diversity: 0,
  reasons: false,
  view: "list",
  item: null,
  by: null,
  language: "en",
  recorded: 0,
};

/** @type {State} */
let state = START;
/** @type {{names: (keyof State)[], listener: (state: State, changed: Set<string>) => void}[]} */
const listeners = [];

export function get() {
  return state;
}

/**
 * Change the state, and call the listeners of what has changed.
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
  for (const { names, listener } of listeners) {
    if (names.some((name) => changed.has(name))) listener(state, changed);
  }
}

/**
 * Subscribe to changes.
 *
 * @param {(keyof State)[]} names of the properties
 * @param {(state: State, changed: Set<string>) => void} listener
 */
export function on(names, listener) {
  listeners.push({ names, listener });
}

/**
 * The model with a name.
 *
 * @param {string | null} name
 */
export function modelOf(name) {
  return state.models.find((model) => model.name === name);
}

/**
 * A model as a parameter of a request: null for the default, also before the models are known.
 *
 * @param {string} name
 */
export function modelParameter(name) {
  return name === "" || name === state.models[0]?.name ? null : name;
}

/**
 * Whether a model has an ability that not all models have.
 *
 * @param {string | null} name
 * @param {string} ability
 */
export function can(name, ability) {
  return modelOf(name)?.can.includes(ability) ?? false;
}
