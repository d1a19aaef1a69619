// Runs before anything is painted, so that the page never flashes in another theme or language.
(() => {
  const page = document.documentElement;
  /** @param {string} name */
  const kept = (name) => {
    try {
      return localStorage.getItem(`shortlist.${name}`);
    } catch {
      return null; // storage is switched off
    }
  };
  const theme = kept("theme");
  if (theme === "light" || theme === "dark") page.dataset.theme = theme;
  const language = kept("language") ?? navigator.language;
  page.lang = language.toLowerCase().startsWith("ko") ? "ko" : "en";
})();
