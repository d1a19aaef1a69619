// Tabs. The arrow keys move between them.

import { h, newId } from "../dom.js";

/**
 * @template {string} Name
 * @param {string} label the name of the tab list
 * @param {{name: Name, title: () => string, panel: HTMLElement}[]} tabs
 * @param {(name: Name) => void} chosen
 */
export function makeTabs(label, tabs, chosen) {
  const parts = tabs.map(({ name, panel }) => {
    const [tabId, panelId] = [newId(), newId()];
    const tab = h("button", {
      type: "button",
      role: "tab",
      id: tabId,
      "aria-controls": panelId,
      on: { click: () => chosen(name), keydown: move },
    });
    panel.id = panelId;
    panel.setAttribute("role", "tabpanel");
    panel.setAttribute("aria-labelledby", tabId);
    return tab;
  });
  const strip = h("div", { role: "tablist", class: "tabs" }, parts);
  relabel(label);

  /** @param {KeyboardEvent} event */
  function move(event) {
    const there = tabs.filter((_, index) => !parts[index].hidden);
    const here = there.findIndex((tab) => parts[tabs.indexOf(tab)] === event.currentTarget);
    const last = there.length - 1;
    const to = {
      ArrowRight: here === last ? 0 : here + 1,
      ArrowLeft: here === 0 ? last : here - 1,
      Home: 0,
      End: last,
    }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    chosen(there[to].name);
    parts[tabs.indexOf(there[to])].focus();
  }

  /** @param {Name} name */
  function show(name) {
    tabs.forEach((tab, index) => {
      const on = tab.name === name;
      parts[index].setAttribute("aria-selected", String(on));
      parts[index].tabIndex = on ? 0 : -1;
      tab.panel.hidden = !on;
    });
  }

  /** @param {string} text */
  function relabel(text) {
    strip.setAttribute("aria-label", text);
    parts.forEach((part, index) => (part.textContent = tabs[index].title()));
  }

  /** @param {Name} name @param {boolean} there */
  function offer(name, there) {
    parts[tabs.findIndex((tab) => tab.name === name)].hidden = !there;
  }

  return { strip, show, relabel, offer };
}
