// Asks the service. What goes wrong comes back as a Trouble: what, where, and what to do.

import { readJson, writeJson } from "./json.js";
import { askForToken, token } from "./token.js";

/** @typedef {import("./types.js").Id} Id */

/** What the service refused, or that it could not be reached (status 0). */
export class Trouble extends Error {
  /**
   * @param {number} status
   * @param {{what?: string, where?: string | null, remedy?: string | null}} said
   */
  constructor(status, said) {
    super(said.what ?? "");
    this.status = status;
    this.where = said.where ?? null;
    this.remedy = said.remedy ?? null;
  }
}

/**
 * @typedef {object} Asked
 * @property {Record<string, any>} [query] of the address; null and undefined are left out
 * @property {unknown} [body] makes it a POST
 * @property {AbortSignal} [signal]
 */

/**
 * Ask the service for something.
 *
 * @param {string} path relative to the page, its parts encoded
 * @param {Asked} [asked]
 * @returns {Promise<any>}
 */
export async function ask(path, asked = {}) {
  for (;;) {
    const used = token();
    const response = await send(path, asked, used);
    const content = await read(response);
    if (response.ok) return content;
    const trouble = new Trouble(response.status, content?.error ?? {});
    // Another question may have brought a token meanwhile: try that before asking for one.
    if (response.status !== 401) throw trouble;
    if (token() === used && !(await askForToken(used !== null))) throw trouble;
  }
}

/**
 * @param {string} path
 * @param {Asked} asked
 * @param {string | null} bearer
 */
async function send(path, { query = {}, body, signal }, bearer) {
  const address = new URL(path, document.baseURI);
  for (const [name, value] of Object.entries(query)) {
    if (value !== null && value !== undefined) address.searchParams.set(name, String(value));
  }
  const headers = new Headers({ Accept: "application/json" });
  if (bearer !== null) headers.set("Authorization", `Bearer ${bearer}`);
  if (body !== undefined) headers.set("Content-Type", "application/json");
  try {
    return await fetch(address, {
      method: body === undefined ? "GET" : "POST",
      headers,
      body: body === undefined ? undefined : writeJson(body),
      signal,
    });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new Trouble(0, {});
  }
}

/** @param {Response} response */
async function read(response) {
  const text = await response.text();
  try {
    return readJson(text);
  } catch {
    if (response.ok) throw new Trouble(response.status, {});
    return null; // an error of something between the service and here
  }
}

/**
 * Whether an error only says that nobody waits for the answer any more.
 *
 * @param {unknown} error
 */
export function isAbort(error) {
  return error instanceof DOMException && error.name === "AbortError";
}

/**
 * An id as a part of a path.
 *
 * @param {Id} id
 */
export function part(id) {
  return encodeURIComponent(String(id));
}
