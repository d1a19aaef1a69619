// JSON whose ids may be 64-bit integers, which JavaScript's numbers cannot hold: those are BigInt.

/** @param {string} text */
export function readJson(text) {
  return JSON.parse(text, /** @type {any} */ (exactly));
}

/**
 * @param {string} _
 * @param {any} value
 * @param {{source?: string}} [context] missing in old browsers, which round such ids
 */
function exactly(_, value, context) {
  if (typeof value !== "number" || Number.isSafeInteger(value)) return value;
  return /^-?\d+$/.test(context?.source ?? "") ? BigInt(context?.source ?? "") : value;
}

/** @param {unknown} value */
export function writeJson(value) {
  const { rawJSON } = /** @type {any} */ (JSON);
  return JSON.stringify(value, (_, one) => (typeof one === "bigint" ? rawJSON(String(one)) : one));
}
