"use strict";
// Shows whatever the view holds: a table for each list of objects, a list for each object, a line for the rest.
// Text reaches the page as text only, never as markup.

const LONGEST = 200;

const element = (name, text, kind) => {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  if (kind) made.className = kind;
  return made;
};

const words = (name) => name.replaceAll("_", " ");
const isObject = (value) => value !== null && typeof value === "object" && !Array.isArray(value);
const isBytes = (name) => /(^|_)(bytes|nbytes|managed|spilled|rss|memory|memory_limit|reserved)$/.test(name);

const size = (bytes) => {
  for (const [unit, factor] of [["GiB", 2 ** 30], ["MiB", 2 ** 20], ["KiB", 2 ** 10]]) {
    if (bytes >= factor) return `${(bytes / factor).toFixed(1)} ${unit}`;
  }
  return `${bytes} B`;
};

const text = (name, value) => {
  if (value === null || value === undefined) return "";
  if (typeof value === "number" && name.endsWith("unix_millis")) return new Date(value).toLocaleTimeString();
  if (typeof value === "number") return isBytes(name) ? size(value) : value.toLocaleString("en", { maximumFractionDigits: 3 });
  if (typeof value === "object") return JSON.stringify(value);
  return String(value);
};

const memory = (worker) => {
  const used = Math.max(worker.rss || 0, worker.managed || 0);
  const cell = element("td");
  const bar = element("meter");
  bar.max = worker.memory_limit;
  bar.high = worker.memory_limit * 0.8;
  bar.optimum = 0;
  bar.value = used;
  bar.title = `${size(used)} of ${size(worker.memory_limit)}`;
  cell.append(bar, ` ${size(used)} / ${size(worker.memory_limit)}`);
  return cell;
};

const table = (rows) => {
  const columns = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  const bars = columns.includes("memory_limit");
  const made = element("table");
  const head = made.createTHead().insertRow();
  if (bars) head.append(element("th", "memory"));
  const numeric = (column) => rows.every((row) => row[column] === null || row[column] === undefined || typeof row[column] === "number");
  for (const column of columns) head.append(element("th", words(column), numeric(column) ? "number" : ""));
  const body = made.createTBody();
  for (const row of rows.slice(0, LONGEST)) {
    const line = body.insertRow();
    if (bars) line.append(row.memory_limit > 0 ? memory(row) : element("td", "no limit"));
    for (const column of columns) line.append(element("td", text(column, row[column]), numeric(column) ? "number" : ""));
  }
  const frame = element("div", undefined, "scroll");
  frame.append(made);
  if (rows.length > LONGEST) frame.append(element("p", `and ${rows.length - LONGEST} more`, "count"));
  return frame;
};

const list = (entries) => {
  const made = element("dl");
  for (const [name, value] of entries) {
    const pair = element("div");
    pair.append(element("dt", words(name)), element("dd", text(name, value)));
    made.append(pair);
  }
  return made;
};

const section = (name, value) => {
  const made = element("section");
  const title = element("h2", words(name));
  made.append(title);
  if (Array.isArray(value)) {
    title.append(" ", element("span", `(${value.length})`, "count"));
    if (value.length === 0) made.append(element("p", "none", "count"));
    else if (value.every(isObject)) made.append(table(value));
    else made.append(element("pre", value.map((entry) => text("", entry)).join("\n")));
  } else {
    made.append(list(Object.entries(value)));
  }
  return made;
};

const show = (view) => {
  const entries = Object.entries(view);
  const plain = entries.filter(([, value]) => value === null || typeof value !== "object");
  const rest = entries.filter(([, value]) => value !== null && typeof value === "object");
  // Workers first: they are what people look for.
  rest.sort(([a], [b]) => Number(b === "workers") - Number(a === "workers"));
  document.getElementById("view").replaceChildren(list(plain), ...rest.map(([name, value]) => section(name, value)));
};

const refresh = async () => {
  const state = document.getElementById("state");
  const view = document.getElementById("view");
  try {
    const answer = await fetch("api/v1/info", { signal: AbortSignal.timeout(5000) });
    if (!answer.ok) throw new Error(`the scheduler answered ${answer.status}`);
    show(await answer.json());
    view.classList.remove("stale");
    state.textContent = new Date().toLocaleTimeString();
  } catch (problem) {
    view.classList.add("stale");
    state.textContent = `no answer: ${problem.message}`;
  }
  setTimeout(refresh, 1000);
};

const ask = async (event) => {
  event.preventDefault();
  const about = event.submitter ? event.submitter.dataset.about : "explain";
  const key = document.getElementById("key").value.trim();
  if (!key) return;
  const answer = await fetch(`api/v1/${about}/${encodeURIComponent(key)}`);
  document.getElementById("answer").textContent = JSON.stringify(await answer.json(), null, 2);
};

document.getElementById("ask").addEventListener("submit", ask);
refresh();
