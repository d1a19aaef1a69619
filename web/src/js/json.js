// JSON with 64-bit integer ids. Integers that a JavaScript number cannot hold become BigInt.

/** @param {string} text */
export function readJson(text) {
  return JSON.parse(text, /** @type {any} */ (exactly));
}

/**
 * @param {string} _
 * @param {any} value
 * @param {{source?: string}} [context] missing in old browsers, which round large ids
 */
function exactly(_, value, context) {
  if (typeof value !== "number" || Number.isSafeInteger(value)) return value;
  return /^-?\d+$/.test(context?.source ?? "") ? BigInt(context?.source ?? "") : value;
}

/** @param {unknown} value */
export function writeJson(value) {
  const { rawJSON } = /** @type {any} */ (JSON);
  return JSON.stringify(value, (_, part) => (typeof part === "bigint" ? rawJSON(String(part)) : part));
}
