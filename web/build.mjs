// Bundles the page: src/ becomes one script, one style sheet and one HTML file, in the folder that
// the service ships. Run it with `make web`, and commit the result: nobody else needs Node.

import { createHash } from "node:crypto";
import { mkdir, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import * as esbuild from "esbuild";

const HERE = dirname(fileURLToPath(import.meta.url));
const SOURCES = join(HERE, "src");
const OUTPUT = process.argv[2] ?? join(HERE, "../src/shortlist/serving/static");

const { outputFiles } = await esbuild.build({
  entryPoints: [join(SOURCES, "js/main.js"), join(SOURCES, "css/main.css")],
  outdir: OUTPUT,
  bundle: true,
  minify: true,
  format: "iife",
  target: "es2023",
  charset: "utf8",
  legalComments: "none",
  write: false,
});
await rm(OUTPUT, { recursive: true, force: true });
await mkdir(OUTPUT, { recursive: true });
const [script, style] = await Promise.all([".js", ".css"].map(bundle));
await writeFile(join(OUTPUT, "index.html"), await page(script, style));
await writeFile(join(OUTPUT, "sources.sha256"), `${await digest()}\n`);

/**
 * Write the bundle of a suffix, named by its content.
 *
 * @param {string} suffix
 */
async function bundle(suffix) {
  const { contents } = outputFiles.find(({ path }) => path.endsWith(suffix));
  const name = `app.${sha256(contents).slice(0, 12)}${suffix}`;
  await writeFile(join(OUTPUT, name), contents);
  return name;
}

/**
 * The HTML file with the names of the bundles, and with the icon inlined.
 *
 * @param {string} script
 * @param {string} style
 */
async function page(script, style) {
  const icon = Buffer.from(await readFile(join(SOURCES, "icon.svg"))).toString("base64");
  const html = await readFile(join(SOURCES, "index.html"), "utf8");
  const replaced = html
    .replaceAll("js/main.js", `static/${script}`)
    .replaceAll("css/main.css", `static/${style}`)
    .replaceAll("icon.svg", `data:image/svg+xml;base64,${icon}`);
  return replaced.replaceAll(/^\s+/gm, ""); // indentation
}

/** The digest of the sources, from which a test sees whether the bundles are up to date. */
async function digest() {
  const entries = await readdir(SOURCES, { recursive: true, withFileTypes: true });
  const files = entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
  files.push(...["build.mjs", "package-lock.json"].map((name) => join(HERE, name)));
  const lines = files.map(async (file) => {
    const name = file.slice(HERE.length + 1).replaceAll("\\", "/");
    return `${sha256(await readFile(file))}  ${name}\n`;
  });
  return sha256((await Promise.all(lines)).sort().join(""));
}

/** @param {string | Uint8Array} content */
function sha256(content) {
  return createHash("sha256").update(content).digest("hex");
}
