// The preferences that are kept in this browser: the theme and the language.

/**
 * @param {"theme" | "language"} name
 * @returns {string | null}
 */
export function remembered(name) {
  try {
    return localStorage.getItem(`shortlist.${name}`);
  } catch {
    return null; // storage is switched off
  }
}

/**
 * @param {"theme" | "language"} name
 * @param {string | null} value null: forget it
 */
export function remember(name, value) {
  try {
    if (value === null) localStorage.removeItem(`shortlist.${name}`);
    else localStorage.setItem(`shortlist.${name}`, value);
  } catch {
    // Storage is switched off: the choice lasts for this visit only.
  }
}
