// What this browser remembers of somebody's taste: the theme and the language.

/**
 * @param {"theme" | "language"} name
 * @param {string | null} value null: forget it
 */
export function remember(name, value) {
  try {
    if (value === null) localStorage.removeItem(`shortlist.${name}`);
    else localStorage.setItem(`shortlist.${name}`, value);
  } catch {
    // Storage is switched off: it holds for this visit only.
  }
}
