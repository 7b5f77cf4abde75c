// build_sql.mjs PARTS DIR: put what `sql/index.html` needs under DIR: its script, DuckDB for the browser, and the licences.
//
// 35 MB, most of it DuckDB: made on demand (`make site-sql`) and never committed.
import { copyFile, mkdir, readFile, readdir, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const [parts, folder] = process.argv.slice(2).map((path) => resolve(path));
const here = dirname(fileURLToPath(import.meta.url));
const packages = join(parts, "node_modules");
const { build } = createRequire(join(parts, "package.json"))("esbuild");
const ENGINE = "@duckdb/duckdb-wasm";

await mkdir(folder, { recursive: true });
const { metafile } = await build({
  entryPoints: [join(here, "sql.js")],
  outfile: join(folder, "sql.js"),
  nodePaths: [packages],
  alias: { [ENGINE]: join(packages, ENGINE, "dist", "duckdb-browser.mjs") },
  bundle: true,
  minify: true,
  format: "iife",
  target: "es2022",
  charset: "utf8",
  legalComments: "none",
  logLevel: "warning",
  metafile: true,
});
for (const name of ["duckdb-browser-eh.worker.js", "duckdb-eh.wasm"]) {
  await copyFile(join(packages, ENGINE, "dist", name), join(folder, name));
}

// Every package of which something is in the script gives its licence along.
const bundled = Object.keys(metafile.inputs).map((path) => path.match(/.*node_modules\/((?:@[^/]+\/)?[^/]+)\//)?.[1]);
const names = [...new Set([...bundled, ENGINE])].filter(Boolean).sort();
const texts = await Promise.all(names.map(licence));
await writeFile(join(folder, "licences.txt"), texts.join("\n\n"));

async function licence(name) {
  const folder = join(packages, name);
  const { version, license } = JSON.parse(await readFile(join(folder, "package.json"), "utf8"));
  const files = (await readdir(folder)).filter((file) => /^(licen[cs]e|notice|copyrightnotice)/i.test(file)).sort();
  const words = await Promise.all(files.map((file) => readFile(join(folder, file), "utf8")));
  // DuckDB's package comes without the text of its licence, which is to go along with every copy.
  if (words.length === 0 && name === ENGINE) words.push(await readFile(join(here, "duckdb-licence.txt"), "utf8"));
  if (words.length === 0) throw new Error(`${name} ${version} brings no text of its licence`);
  return [`${name} ${version} (${license})`, ...words.map((text) => text.trim())].join("\n\n");
}
