// Looks up one council's rows straight in the released Parquet file, reading only the pages that hold them.
//
// Built with its parts into assets/lookup.js (`make site-scripts`). Without it, or from a disk, the section that it
// fills stays hidden and the page is whole.
import { parquetMetadataAsync, parquetReadObjects, parquetScan } from "hyparquet";
import { compressors } from "./parquet.js";
import { remoteFile, UnreadableError } from "./remote.js";

const ROWS = 25; // shown at first, and with each "more"
const COLUMNS = 10; // shown at first; more would need the whole width of the file
const NAME = "official_name";

/** Open a file: its reader and its footer, read once and kept. */
async function open(address) {
  const file = await remoteFile(address);
  return { file, metadata: await parquetMetadataAsync(file, { initialFetchSize: file.tail }), compressors };
}

/** The first row and the number of rows of a key in a file that is sorted by it. */
async function locate(opened, key, value) {
  const filter = { [key]: { $eq: value } };
  const scan = await parquetScan({ ...opened, columns: [key], pruningFilter: filter, usePageIndex: true });
  let first = null;
  let count = 0;
  const values = await Promise.all(scan.ranges.map((range) => scan.readColumn({ column: key, ...range })));
  scan.ranges.forEach(({ rowStart }, range) => {
    values[range].forEach((found, offset) => {
      if (found !== value) return;
      first ??= rowStart + offset;
      count += 1;
    });
  });
  return { first, count };
}

function words(value) {
  if (value === null || value === undefined) return null;
  if (value instanceof Date) return value.toISOString().replace(/T00:00:00\.000Z$/, "");
  if (typeof value === "boolean") return value ? "true" : "false";
  return String(value);
}

function element(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

function cell(tag, value) {
  const made = element(tag);
  if (tag === "th") made.scope = "row";
  if (typeof value === "number" || typeof value === "bigint") made.className = "number";
  const text = words(value);
  if (text !== null) {
    made.textContent = text;
  } else {
    const dash = element("span", { textContent: "–" });
    dash.setAttribute("aria-hidden", "true");
    made.append(dash, element("span", { className: "vh", textContent: "empty" }));
  }
  return made;
}

/** What went wrong, as a sentence for the reader. */
function sentence(error) {
  const reason = error instanceof UnreadableError ? error.message : "The file could not be read.";
  return `${reason} The downloads above have all rows.`;
}

function start(section) {
  const { file, names, key } = section.dataset;
  const select = section.querySelector("select");
  const form = section.querySelector(".find");
  const show = section.querySelector("button");
  const said = section.querySelector("[role=status]");
  const result = section.querySelector(".result");
  let data = null;
  let listed = false;

  async function listCouncils() {
    if (listed) return;
    listed = true;
    try {
      const rows = await parquetReadObjects({ ...(await open(names)), columns: [key, NAME] });
      rows.sort((one, other) => one[NAME].localeCompare(other[NAME], "en-GB"));
      select.append(...rows.map((row) => element("option", { value: row[key], textContent: row[NAME] })));
    } catch (error) {
      listed = false;
      said.textContent = sentence(error);
    }
  }

  async function look() {
    const value = select.value;
    const name = select.selectedOptions[0]?.textContent;
    result.replaceChildren();
    if (!value) {
      said.textContent = "Choose a council first.";
      return;
    }
    said.textContent = "Reading…";
    show.disabled = true;
    try {
      data ??= await open(file);
      const { first, count } = await locate(data, key, value);
      if (count === 0) {
        said.textContent = `This dataset has no rows about ${name}.`;
      } else {
        await fill(value, name, first, count);
      }
    } catch (error) {
      data = null; // a file that changed or a line that broke: the next attempt begins anew
      said.textContent = sentence(error);
    } finally {
      show.disabled = false;
    }
  }

  async function fill(value, name, first, count) {
    const columns = data.metadata.schema.slice(1, 1 + COLUMNS).map((column) => column.name);
    const body = element("tbody");
    const caption = element("span", { textContent: `Rows about ${name}` });
    const table = element(
      "table",
      { className: "rows" },
      element("caption", { id: "lookup-rows" }, caption),
      element("thead", {}, element("tr", {}, ...columns.map((column) =>
        element("th", { scope: "col" }, element("code", { textContent: column }))))),
      body,
    );
    const region = element("div", { className: "scroll", tabIndex: 0 }, table);
    region.setAttribute("role", "region");
    region.setAttribute("aria-labelledby", "lookup-rows");
    const more = element("button", { type: "button", textContent: `Show ${ROWS} more` });

    async function next() {
      const from = body.rows.length;
      const until = Math.min(from + ROWS, count);
      const rows = await parquetReadObjects({
        ...data,
        columns,
        filter: { [key]: { $eq: value } },
        usePageIndex: true,
        rowStart: first + from,
        rowEnd: first + until,
      });
      body.append(...rows.map((row) => element("tr", {}, ...columns.map((column, index) =>
        cell(index === 0 ? "th" : "td", row[column])))));
      more.hidden = until === count;
      const all = data.metadata.schema.length - 1;
      const width = columns.length < all ? ` The first ${columns.length} of ${all} columns.` : "";
      said.textContent = `${until.toLocaleString("en-GB")} of ${count.toLocaleString("en-GB")} ` +
        `${count === 1 ? "row" : "rows"} about ${name}.${width}`;
    }

    await next();
    more.addEventListener("click", async () => {
      more.disabled = true;
      try {
        await next();
      } catch (error) {
        said.textContent = sentence(error);
      }
      more.disabled = false;
    });
    result.replaceChildren(region, more);
  }

  show.addEventListener("click", look);
  form.addEventListener("focusin", listCouncils);
  form.addEventListener("pointerover", listCouncils);
  section.hidden = false;
  // The list is fetched when the reader comes near it, not by everybody who opens the page.
  new IntersectionObserver((seen, observer) => {
    if (seen.some((entry) => entry.isIntersecting)) {
      observer.disconnect();
      listCouncils();
    }
  }).observe(form);
}

const section = document.getElementById("lookup");
if (section && location.protocol.startsWith("http")) start(section);
