// The rows of the history: a table where there is room, cards on a phone.
// Whatever comes in `data` becomes text and nothing else; links are made by the page.

const DAY = 86400;

function element(name, className, text) {
  const made = document.createElement(name);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

// As core/words.py says it.
function seconds(value) {
  if (value < 9.95) return `${value.toFixed(1).replace(".0", "")} s`;
  for (const [size, upTo, unit] of [[1, 120, "s"], [60, 120, "min"], [3600, 48, "h"]])
    if (Math.round(value / size) < upTo) return `${(value / size).toFixed(0)} ${unit}`;
  return `${(value / DAY).toFixed(0)} days`;
}

function ago(past) {
  if (past < 5) return "just now";
  return `${seconds(past)} ago`;
}

const CELLS = {
  when(cell, value, row) {
    const link = element("a", "open");
    link.href = row.href;
    const relative = element("time", "relative");
    relative.dataset.at = value.at;
    link.append(relative, element("span", "unseen", `, ${row.name}`));
    const exact = element("span", "exact", value.exact);
    cell.title = value.title;
    cell.append(link, exact);
  },
  chip(cell, value) {
    const chip = element("span", `chip ${value.tone}`);
    const sign = element("span", "sign", value.sign);
    sign.setAttribute("aria-hidden", "true");
    chip.append(sign, value.word);
    if (value.title) chip.title = value.title;
    cell.append(chip);
  },
  text(cell, value) {
    const said = element("span", "said", value.text);
    said.title = value.title ?? value.text;
    cell.append(said);
    if (value.tag) cell.append(element("span", "tag", value.tag));
  },
  found(cell, value) {
    const said = element("span", "said");
    for (const [text, hit] of value) said.append(hit ? element("mark", "", text) : text);
    cell.append(said);
  },
  chain(cell, value) {
    const said = element("span", "said");
    said.title = value.title;
    value.links.forEach((link, place) => {
      if (place) said.append(element("span", "arrow", link.apart ? " · " : " → "));
      said.append(element("span", `link ${link.tone}${link.here ? " here" : ""}`, link.text));
    });
    cell.append(said);
  },
  number(cell, value) {
    if (value !== null && typeof value === "object") {
      const running = element("span", "running");
      running.dataset.since = value.since;
      cell.append(running);
    } else if (value === null) {
      cell.append(element("span", "unknown", "–"));
      cell.title = "unknown";
    } else {
      cell.append(value);
    }
  },
};

function classes(column) {
  const wide = column.wide ? " wide" : "";
  return `is-${column.kind} ${column.place} level${column.level}${wide}`;
}

function head(columns) {
  const row = element("tr");
  row.setAttribute("role", "row");
  for (const column of columns) {
    const cell = element("th", classes(column), column.label);
    cell.setAttribute("role", "columnheader");
    cell.scope = "col";
    row.append(cell);
  }
  const made = element("thead");
  made.setAttribute("role", "rowgroup");
  made.append(row);
  return made;
}

function body(row, columns) {
  const made = element("tr");
  made.setAttribute("role", "row");
  made.dataset.id = row.id;
  row.cells.forEach((value, place) => {
    const column = columns[place];
    const cell = element("td", classes(column));
    cell.setAttribute("role", "cell");
    cell.dataset.label = column.label;
    CELLS[column.kind](cell, value, row);
    made.append(cell);
  });
  return made;
}

function tick(frame) {
  const now = Date.now() / 1000;
  for (const time of frame.querySelectorAll("[data-at]")) {
    const said = ago(now - Number(time.dataset.at));
    if (time.textContent !== said) time.textContent = said;
  }
  for (const running of frame.querySelectorAll("[data-since]")) {
    running.textContent = `${seconds(Math.max(0, Math.floor(now - Number(running.dataset.since))))} …`;
  }
}

function listen(frame) {
  const pick = (row) => {
    for (const other of frame.querySelectorAll("tr.picked")) other.classList.remove("picked");
    row.classList.add("picked"); // at once, before the server has answered
    frame.pick(row.dataset.id);
  };
  frame.addEventListener("click", (event) => {
    const row = event.target.closest("tr[data-id]");
    if (!row || event.ctrlKey || event.metaKey || event.shiftKey) return;
    if (frame.getRootNode().getSelection?.()?.toString()) return; // text is being copied
    event.preventDefault();
    pick(row);
  });
  frame.addEventListener("keydown", (event) => {
    const row = event.target.closest("tr[data-id]");
    const next = { ArrowDown: "nextElementSibling", ArrowUp: "previousElementSibling" }[event.key];
    const link = row && next && row[next]?.querySelector("a.open");
    if (!link) return;
    event.preventDefault();
    link.focus();
  });
}

export default function ({ data, parentElement, setTriggerValue }) {
  const frame = parentElement.querySelector(".frame");
  if (!frame.rows) {
    frame.rows = new Map();
    listen(frame);
  }
  frame.pick = (id) => setTriggerValue("open", id);
  const focused = frame.getRootNode().activeElement?.closest("tr")?.dataset.id;
  const table = element("table");
  table.setAttribute("role", "table");
  table.setAttribute("aria-label", data.label);
  const rows = element("tbody");
  rows.setAttribute("role", "rowgroup");
  const kept = new Map();
  for (const row of data.rows) {
    // A row that has not changed keeps its element, and with it a selection of its text.
    const written = JSON.stringify([row, data.columns]);
    const known = frame.rows.get(row.id);
    const made = known?.written === written ? known.made : body(row, data.columns);
    made.classList.toggle("picked", row.id === data.picked);
    kept.set(row.id, { written, made });
    rows.append(made);
  }
  frame.rows = kept;
  table.append(head(data.columns), rows);
  frame.replaceChildren(table);
  tick(frame);
  if (focused) kept.get(focused)?.made.querySelector("a.open").focus();
  clearInterval(frame.timer);
  frame.timer = setInterval(() => tick(frame), 1000);
  return () => clearInterval(frame.timer);
}
