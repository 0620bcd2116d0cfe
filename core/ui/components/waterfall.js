// Attempts as bars on one axis of time. Each row is a row of a table, so that everything the
// bars show is there in words and numbers, too. A bar under way grows by itself between news.

const TICKS = 4;

export default function ({ data, parentElement, setTriggerValue }) {
  const table = parentElement.querySelector("[role=table]");
  const live = parentElement.querySelector("[role=status]");
  const self = (table.self ??= { rows: new Map() });
  table.setAttribute("aria-label", data.label);
  if (live.textContent !== data.said) live.textContent = data.said;
  if (!table.firstChild) {
    table.append(heads());
    self.ticks = [...table.querySelectorAll(".tick")];
  }
  for (const item of data.rows) {
    if (!self.rows.has(item.id)) {
      const row = item.gap ? makeGap(item) : makeRow(item, (id) => setTriggerValue("opened", id));
      self.rows.set(item.id, row);
      table.append(row);
    }
    if (!item.gap) fill(self.rows.get(item.id), item);
  }
  for (const [id, row] of self.rows) {
    if (data.rows.some((item) => item.id === id)) continue;
    row.remove();
    self.rows.delete(id);
  }
  const known = performance.now();
  cancelAnimationFrame(self.frame);
  const draw = () => {
    const passed = data.live ? (performance.now() - known) / 1000 : 0;
    layOut(self, data, passed);
    if (data.live && table.isConnected) self.frame = requestAnimationFrame(draw);
  };
  draw();
  return () => cancelAnimationFrame(self.frame);
}

function heads() {
  const row = cells("heads", ["Provider", "What happened", "Time", "Tokens in → out", "Cost"]);
  row.querySelectorAll("[role=cell]").forEach((cell) => cell.setAttribute("role", "columnheader"));
  const what = row.querySelector(".what");
  const said = document.createElement("span");
  said.className = "unseen";
  said.textContent = what.textContent;
  what.replaceChildren(said);
  const axis = part(what, "axis");
  axis.setAttribute("aria-hidden", "true");
  for (let tick = 0; tick <= TICKS; tick++) part(axis, "tick");
  return row;
}

// Where the axis stands still.
function makeGap(item) {
  const row = document.createElement("div");
  row.setAttribute("role", "row");
  row.className = "gap";
  const cell = part(row, "what", "div");
  cell.setAttribute("role", "cell");
  cell.setAttribute("aria-colspan", "5");
  cell.textContent = item.gap;
  return row;
}

function makeRow(item, open) {
  const row = cells("attempt", ["", "", "", "", ""]);
  const [who, what] = row.children;
  part(who, "icon");
  part(who, "step");
  const link = part(who, "provider", "a");
  link.href = `call?call=${item.id}`;
  link.addEventListener("click", (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return; // a window of its own
    event.preventDefault();
    open(item.id);
  });
  part(who, "model");
  who.querySelector(".icon").setAttribute("aria-hidden", "true");
  const track = part(what, "track");
  track.setAttribute("aria-hidden", "true");
  part(part(track, "bar"), "silent");
  part(what, "words");
  return row;
}

function cells(name, texts) {
  const row = document.createElement("div");
  row.setAttribute("role", "row");
  row.className = name;
  ["who", "what", "took", "tokens", "cost"].forEach((kind, place) => {
    const cell = part(row, kind, "div");
    cell.setAttribute("role", "cell");
    cell.textContent = texts[place];
  });
  return row;
}

function fill(row, item) {
  const put = (name, text) => {
    const spot = row.querySelector(`.${name}`);
    if (spot.textContent !== text) spot.textContent = text;
  };
  row.dataset.status = item.status;
  put("icon", item.icon);
  put("step", `${item.step} ·`);
  put("provider", item.provider);
  put("model", item.model);
  put("words", item.what);
  put("took", item.took);
  put("tokens", item.tokens);
  put("cost", item.cost);
}

function layOut(self, data, passed) {
  const running = data.rows.some((item) => item.status === "running");
  const span = data.span + (running ? passed : 0);
  self.ticks.forEach((tick, place) => {
    const seconds = (span * place) / TICKS;
    tick.textContent = `${seconds < 10 && seconds % 1 ? seconds.toFixed(1) : Math.round(seconds)} s`;
  });
  for (const item of data.rows) {
    if (item.gap) continue;
    const grown = item.status === "running" ? passed : 0;
    const lasts = item.lasts + grown;
    const row = self.rows.get(item.id);
    const bar = row.querySelector(".bar");
    bar.style.left = `${(100 * item.begins) / span}%`;
    bar.style.width = `${(100 * lasts) / span}%`;
    const silent = item.status === "running" ? lasts : item.silent;
    bar.firstChild.style.width = lasts ? `${(100 * silent) / lasts}%` : "100%";
    if (grown) row.querySelector(".took").textContent = `${Math.floor(lasts)} s`;
  }
}

function part(parent, name, tag = "span") {
  const made = parent.appendChild(document.createElement(tag));
  made.className = name;
  return made;
}
