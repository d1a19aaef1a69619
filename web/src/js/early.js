// Sets the theme and the language before the first paint, so that the page does not flash.

import { remembered } from "./remember.js";

const root = document.documentElement;
const theme = remembered("theme");
if (theme === "light" || theme === "dark") root.dataset.theme = theme;
const language = remembered("language") ?? navigator.language;
root.lang = language.toLowerCase().startsWith("ko") ? "ko" : "en";
