// Titles of the items seen so far, single items, and the fields of a model.

import { ask, part } from "./api.js";
import { learnFields } from "./format.js";
import { get } from "./store.js";

/** @typedef {import("./types.js").Id} Id */
/** @typedef {import("./types.js").Item} Item */
/** @typedef {import("./types.js").Schema} Schema */

/** @type {Map<Id, string>} */
const titles = new Map();
/** @type {Map<string, Promise<Schema>>} */
const schemas = new Map();

/**
 * Remember the titles of items.
 *
 * @param {{item_id: Id, title: string}[]} items
 */
export function seen(items) {
  for (const { item_id, title } of items) titles.set(item_id, title);
}

/**
 * The title of an item, or its id if the title is not known.
 *
 * @param {Id} id
 */
export function titleOf(id) {
  return titles.get(id) ?? String(id);
}

/**
 * The name of an item where its fields are shown as well. For an item without a title the service
 * makes one from its id and a few fields in brackets; here the id is enough.
 *
 * @param {{item_id: Id, title: string}} item
 */
export function nameOf({ item_id, title }) {
  return title.startsWith(`${item_id} (`) ? String(item_id) : title;
}

/**
 * Fetch the titles of items of which only the id is known.
 *
 * @param {Id[]} ids
 */
export async function learnTitles(ids) {
  await Promise.allSettled(ids.filter((id) => !titles.has(id)).map((id) => fetchItem(id)));
}

/**
 * @param {Id} id
 * @param {string} [model]
 * @param {AbortSignal} [signal]
 * @returns {Promise<Item>}
 */
export async function fetchItem(id, model = get().model, signal = undefined) {
  const item = await ask(`items/${part(id)}`, { query: { model }, signal });
  seen([item]);
  return item;
}

/**
 * @param {string} text
 * @param {AbortSignal} signal
 * @returns {Promise<Item[]>}
 */
export async function findItems(text, signal) {
  const query = { q: text, limit: 20, model: get().model };
  const { items } = await ask("items", { query, signal });
  seen(items);
  return items;
}

/**
 * The user features and item fields of a model.
 *
 * @param {string} model
 * @returns {Promise<Schema>}
 */
export function schemaOf(model) {
  let schema = schemas.get(model);
  if (!schema) {
    schema = ask("schema", { query: { model } });
    schema.catch(() => schemas.delete(model)); // the next call tries again
    schemas.set(model, schema);
  }
  schema.then(({ user_features, item_fields }) => learnFields([...user_features, ...item_fields]), () => {});
  return schema;
}
