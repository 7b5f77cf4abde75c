// Answers SQL about the released datasets in the reader's own browser, once the reader asks for it.
//
// Built with its parts by `make site-sql`; the page `sql/index.html` is made only where they were built. DuckDB would fetch
// its own reader of Parquet from elsewhere, so hyparquet reads the files and hands the columns over.
import { AsyncDuckDB, VoidLogger } from "@duckdb/duckdb-wasm";
import { Bool, DateDay, Float64, Int64, makeBuilder, Table, TimestampMillisecond, Utf8 } from "apache-arrow";
import { parquetMetadata, parquetRead } from "hyparquet";
import { compressors } from "./parquet.js";

const MOST_ROWS = 1_000_000; // of one dataset; its columns are held in the page while they are handed over
const SHOWN = 200;
const NUMBERS = /^(BIGINT|DOUBLE|FLOAT|HUGEINT|INTEGER|DECIMAL.*|U?(TINYINT|SMALLINT|INTEGER|BIGINT|HUGEINT))$/;

/** Says in a sentence why a question cannot be answered. */
class RefusedError extends Error {}

function element(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

const thousands = (count) => count.toLocaleString("en-GB");
const quoted = (name) => `"${name.replaceAll('"', '""')}"`;

/** The Arrow type of a column of Parquet: the six types that a contract knows. */
function arrowType({ name, type, converted_type: converted, logical_type: logical }) {
  if (converted === "UTF8" || logical?.type === "STRING") return new Utf8();
  if (converted === "DATE" || logical?.type === "DATE") return new DateDay();
  if (converted?.startsWith("TIMESTAMP") || logical?.type === "TIMESTAMP") return new TimestampMillisecond();
  if (type === "BOOLEAN") return new Bool();
  if (type === "INT64") return new Int64();
  if (type === "DOUBLE") return new Float64();
  throw new RefusedError(`The column ${name} is of a type that this page cannot read.`);
}

/** Fetch a file whole; `progress` is told how many bytes have come so far. */
async function fetched(address, progress) {
  try {
    const answer = await fetch(address);
    if (!answer.ok) throw new RefusedError(`The server did not hand out a file (${answer.status}).`);
    const parts = [];
    let bytes = 0;
    for (const reader = answer.body.getReader(); ; ) {
      const { done, value } = await reader.read();
      if (done) return new Blob(parts, { type: answer.headers.get("Content-Type") ?? "" });
      parts.push(value);
      bytes += value.length;
      progress(bytes);
    }
  } catch (error) {
    if (error instanceof RefusedError) throw error;
    throw new RefusedError("A file did not arrive; is there a connection? Ask again to try again.");
  }
}

/** A column of Arrow; its builder would tell what is null by compiled code, which the page's policy refuses. */
function arrowColumn(values, type) {
  const builder = makeBuilder({ type });
  values.forEach((value, row) => (value === null ? builder.setValid(row, false) : builder.set(row, value)));
  return builder.finish().toVector();
}

/** A whole Parquet file as a table of Arrow. */
async function arrowTable(address, progress) {
  const file = await (await fetched(address, progress)).arrayBuffer();
  const metadata = parquetMetadata(file);
  const [root, ...columns] = metadata.schema;
  if (columns.length !== root.num_children) throw new RefusedError("The file has columns within columns.");
  const rows = Number(metadata.num_rows);
  const values = new Map(columns.map((column) => [column.name, new Array(rows).fill(null)]));
  await parquetRead({
    file,
    metadata,
    compressors,
    onChunk({ columnName, columnData, rowStart }) {
      const into = values.get(columnName);
      for (let row = 0; row < columnData.length; row += 1) into[rowStart + row] = columnData[row] ?? null;
    },
  });
  return new Table(
    Object.fromEntries(columns.map((column) => [column.name, arrowColumn(values.get(column.name), arrowType(column))])),
  );
}

/** Start DuckDB in a worker of this site, cut off from everything but the tables that it is given. */
async function startEngine(progress) {
  // The worker would wait for ever for an engine that does not arrive.
  const engine = URL.createObjectURL(await fetched(new URL("duckdb-eh.wasm", document.baseURI), progress));
  const worker = new Worker(new URL("duckdb-browser-eh.worker.js", document.baseURI));
  const broken = new Promise((_, reject) => {
    worker.addEventListener("error", () => reject(new RefusedError("The database engine did not start.")));
  });
  const db = new AsyncDuckDB(new VoidLogger(), worker);
  await Promise.race([db.instantiate(engine), broken]);
  URL.revokeObjectURL(engine);
  const con = await db.connect();
  for (const setting of ["autoinstall_known_extensions", "autoload_known_extensions", "enable_external_access"]) {
    await con.query(`set ${setting} = false`);
  }
  await con.query("set lock_configuration = true");
  return con;
}

const listOf = (table) => table.toArray().map((row) => row.toArray());

function start(form) {
  const datasets = new Map(
    [...document.querySelectorAll("tr[data-table]")].map(({ dataset }) => [dataset.table, dataset]),
  );
  const text = form.querySelector("textarea");
  const run = form.querySelector("button");
  const said = form.querySelector("[role=status]");
  const failure = form.querySelector(".failure");
  const result = document.getElementById("sql-result");
  let engine = null;
  const loaded = new Set();

  const coming = (what, size) => (bytes) => {
    said.textContent = `Fetching ${what}: ${Math.min(100, Math.round((100 * bytes) / Number(size)))} %`;
  };

  async function load(name) {
    const { file, rows, bytes } = datasets.get(name);
    if (Number(rows) > MOST_ROWS) {
      throw new RefusedError(
        `${name} has ${thousands(Number(rows))} rows, too many for a page: download it and ask DuckDB on your device.`,
      );
    }
    const table = await arrowTable(file, coming(name, bytes));
    await (await engine).insertArrowTable(table, { name, create: true });
    loaded.add(name);
  }

  async function answer() {
    const question = text.value.trim().replace(/;\s*$/, "");
    failure.textContent = "";
    result.replaceChildren();
    if (!question) {
      said.textContent = "Write a question first.";
      return;
    }
    run.disabled = true;
    try {
      engine ??= startEngine(coming("the database engine", form.dataset.bytes));
      const con = await engine;
      for (const name of datasets.keys()) {
        if (!loaded.has(name) && new RegExp(`\\b${name}\\b`, "i").test(question)) await load(name);
      }
      said.textContent = "Asking…";
      const before = performance.now();
      await con.query(`create or replace temp table answer as select * from (${question}\n)`);
      const seconds = (performance.now() - before) / 1000;
      await show(con, seconds);
    } catch (error) {
      said.textContent = "No answer.";
      failure.textContent = error.message;
      // An engine that did not start is started anew by the next question.
      if (engine) await engine.catch(() => (engine = null));
    } finally {
      run.disabled = false;
    }
  }

  async function show(con, seconds) {
    const columns = listOf(await con.query("select column_name, column_type from (describe answer)"));
    const words = columns.map(([name]) => `cast(${quoted(name)} as varchar)`).join(", ");
    const [[total]] = listOf(await con.query("select count(*) from answer"));
    const rows = listOf(await con.query(`select ${words} from answer limit ${SHOWN}`));
    const classes = columns.map(([, type]) => (NUMBERS.test(type) ? "number" : ""));
    const table = element(
      "table",
      { className: "rows" },
      element("caption", { id: "sql-rows" }, element("span", { textContent: "Answer" })),
      element("thead", {}, element("tr", {}, ...columns.map(([name], column) =>
        element("th", { scope: "col", className: classes[column] }, element("code", { textContent: name }))))),
      element("tbody", {}, ...rows.map((row) => element("tr", {}, ...row.map((value, column) =>
        value === null
          ? element("td", {}, emptyMark(), element("span", { className: "vh", textContent: "empty" }))
          : element("td", { className: classes[column], textContent: value }))))),
    );
    const region = element("div", { className: "scroll", tabIndex: 0 }, table);
    region.setAttribute("role", "region");
    region.setAttribute("aria-labelledby", "sql-rows");
    const save = element("button", { type: "button", textContent: "Save the answer as CSV" });
    save.addEventListener("click", async () => saveAs(await csv(con, columns, words)));
    result.replaceChildren(region, save);
    const count = Number(total);
    said.textContent =
      `${thousands(count)} ${count === 1 ? "row" : "rows"} in ${seconds.toFixed(2)} seconds.` +
      (count > SHOWN ? ` The first ${SHOWN} are shown.` : "");
  }

  run.addEventListener("click", answer);
  text.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && !run.disabled) answer();
  });
  const asked = decodeURIComponent(location.hash.slice(1));
  if (datasets.has(asked)) text.value = `select *\nfrom ${asked}\nlimit 20`;
  form.hidden = false;
  document.getElementById("sql-needs").hidden = true;
}

function emptyMark() {
  const dash = element("span", { textContent: "–" });
  dash.setAttribute("aria-hidden", "true");
  return dash;
}

/** All rows as CSV; an empty value is an empty field. */
async function csv(con, columns, words) {
  const rows = listOf(await con.query(`select ${words} from answer`));
  const field = (value) => (value === null ? "" : /[",\r\n]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value);
  return [columns.map(([name]) => name), ...rows].map((row) => `${row.map(field).join(",")}\r\n`).join("");
}

function saveAs(content) {
  const address = URL.createObjectURL(new Blob([content], { type: "text/csv;charset=utf-8" }));
  element("a", { href: address, download: "answer.csv" }).click();
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}

const form = document.getElementById("sql");
if (form && location.protocol.startsWith("http")) start(form);
