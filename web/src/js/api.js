// Sends requests to the service. Failures are thrown as a ServiceError.

import { readJson, writeJson } from "./json.js";
import { askForToken, token } from "./token.js";

/** @typedef {import("./types.js").Id} Id */

/** An error reply of the service. Status 0: it could not be reached. */
export class ServiceError extends Error {
  /**
   * @param {number} status
   * @param {{what?: string, where?: string | null, remedy?: string | null}} error
   */
  constructor(status, error) {
    super(error.what ?? "");
    this.status = status;
    this.where = error.where ?? null;
    this.remedy = error.remedy ?? null;
  }
}

/**
 * @typedef {object} Options
 * @property {Record<string, any>} [query] query parameters; null and undefined are left out
 * @property {unknown} [body] of a POST request
 * @property {"DELETE"} [method] other than GET, or POST with a body
 * @property {AbortSignal} [signal]
 */

/** @type {Map<string, Promise<any>>} replies that were requested before they are needed */
const prefetched = new Map();

/**
 * Send a request early. The next equal request gets its reply.
 *
 * @param {string} path
 * @param {Options} options
 */
export function prefetch(path, options) {
  const reply = ask(path, options);
  reply.catch(() => {}); // reported to the request that gets the reply
  prefetched.set(keyOf(path, options), reply);
}

/** Forget early replies that nobody requested. */
export function endPrefetch() {
  prefetched.clear();
}

/**
 * @param {string} path
 * @param {Options} options
 */
function keyOf(path, { query, body, method }) {
  return writeJson([path, query, body, method]);
}

/**
 * Send a request to the service.
 *
 * @param {string} path relative to the page, its parts encoded
 * @param {Options} [options]
 * @returns {Promise<any>} the content of the reply
 */
export async function ask(path, options = {}) {
  const early = prefetched.get(keyOf(path, options));
  prefetched.delete(keyOf(path, options));
  if (early) return early;
  for (;;) {
    const used = token();
    const response = await send(path, options, used);
    const content = await read(response);
    if (response.ok) return content;
    const error = new ServiceError(response.status, content?.error ?? {});
    if (response.status !== 401) throw error;
    // Another request may have got a token in the meantime: try it before asking the user.
    if (token() === used && !(await askForToken(used !== null))) throw error;
  }
}

/**
 * @param {string} path
 * @param {Options} options
 * @param {string | null} bearer
 */
async function send(path, { query = {}, body, method, signal }, bearer) {
  const address = new URL(path, document.baseURI);
  for (const [name, value] of Object.entries(query)) {
    if (value !== null && value !== undefined) address.searchParams.set(name, String(value));
  }
  const headers = new Headers({ Accept: "application/json" });
  if (bearer !== null) headers.set("Authorization", `Bearer ${bearer}`);
  if (body !== undefined) headers.set("Content-Type", "application/json");
  try {
    return await fetch(address, {
      method: method ?? (body === undefined ? "GET" : "POST"),
      headers,
      body: body === undefined ? undefined : writeJson(body),
      signal,
    });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new ServiceError(0, {});
  }
}

/** @param {Response} response */
async function read(response) {
  const text = await response.text();
  try {
    return readJson(text);
  } catch {
    if (response.ok) throw new ServiceError(response.status, {});
    return null; // not from the service: an error page of a proxy, for example
  }
}

/**
 * Whether an error only means that the request was cancelled.
 *
 * @param {unknown} error
 */
export function isAbort(error) {
  return error instanceof DOMException && error.name === "AbortError";
}

/**
 * An id, encoded for a path.
 *
 * @param {Id} id
 */
export function part(id) {
  return encodeURIComponent(String(id));
}
