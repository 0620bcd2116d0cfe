// A list that is put in order by dragging, by the arrow keys on a handle, or by its buttons.
// What Python sends is the truth; until it has caught up with the last move, the list shows
// that move and takes no older order for an answer.

const PATIENCE = 4000; // ms after which an order that was not kept falls back to the truth

export default function ({ data, parentElement, setTriggerValue }) {
  const list = parentElement.querySelector("ol");
  const live = parentElement.querySelector("[role=status]");
  const self = (list.self ??= { rows: new Map(), wanted: null, drag: null, moves: 0 });
  self.send = (order) => setTriggerValue("moved", { order, move: ++self.moves });
  self.live = live;
  list.setAttribute("aria-label", data.label);
  for (const item of data.rows) {
    if (!self.rows.has(item.name)) self.rows.set(item.name, makeRow(item, list, self));
    showState(self.rows.get(item.name), item);
  }
  for (const [name, row] of self.rows) {
    if (data.rows.some((item) => item.name === name)) continue;
    row.remove();
    self.rows.delete(name);
  }
  if (!self.drag) arrange(list, self, data.rows.map((item) => item.name));
}

function arrange(list, self, truth) {
  const wanted = self.wanted;
  if (wanted && (wanted.order.join() === truth.join() || Date.now() > wanted.until)) {
    self.wanted = null;
  } else if (wanted) {
    return; // an echo of an older move
  }
  const order = truth.map((name) => self.rows.get(name));
  if (order.some((row, place) => list.children[place] !== row)) {
    keepingFocus(list, () => list.append(...order));
  }
  number(list);
}

function makeRow(item, list, self) {
  const row = document.createElement("li");
  row.dataset.name = item.name;
  row.dataset.label = item.label;
  const handle = button(row, "handle", "drag_indicator");
  handle.setAttribute("aria-describedby", "how");
  const place = part(row, "place");
  place.setAttribute("aria-hidden", "true");
  part(row, "label").textContent = item.label;
  const state = part(row, "state");
  icon(state);
  part(state, "words");
  const up = button(row, "up", "arrow_upward", `Move ${item.label} up`);
  const down = button(row, "down", "arrow_downward", `Move ${item.label} down`);
  up.addEventListener("click", () => moveBy(row, -1, list, self));
  down.addEventListener("click", () => moveBy(row, 1, list, self));
  handle.addEventListener("keydown", (event) => onKey(event, row, list, self));
  handle.addEventListener("pointerdown", (event) => startDrag(event, row, list, self));
  list.append(row);
  return row;
}

function showState(row, item) {
  row.dataset.kind = item.kind;
  row.querySelector(".state .icon").textContent = item.icon;
  row.querySelector(".words").textContent = item.state;
}

function onKey(event, row, list, self) {
  const place = [...list.children].indexOf(row);
  const by = {
    ArrowUp: -1,
    ArrowDown: 1,
    Home: -place,
    End: list.children.length - 1 - place,
  }[event.key];
  if (by === undefined) return;
  event.preventDefault();
  moveBy(row, by, list, self);
}

function moveBy(row, by, list, self) {
  const rows = [...list.children];
  const from = rows.indexOf(row);
  const to = Math.min(Math.max(from + by, 0), rows.length - 1);
  if (to === from) return;
  rows.splice(to, 0, rows.splice(from, 1)[0]);
  keepingFocus(list, () => list.append(...rows));
  moved(row, list, self);
}

function moved(row, list, self) {
  number(list);
  const order = [...list.children].map((each) => each.dataset.name);
  self.wanted = { order, until: Date.now() + PATIENCE };
  const place = order.indexOf(row.dataset.name) + 1;
  self.live.textContent = `${row.dataset.label} is now number ${place} of ${order.length}.`;
  self.send(order);
}

function number(list) {
  const rows = [...list.children];
  rows.forEach((row, place) => {
    row.querySelector(".place").textContent = place + 1;
    row
      .querySelector(".handle")
      .setAttribute("aria-label", `Move ${row.dataset.label}, number ${place + 1} of ${rows.length}`);
    // Not `disabled`: that would drop the focus of whoever has just moved a row to the end.
    row.querySelector(".up").setAttribute("aria-disabled", place === 0);
    row.querySelector(".down").setAttribute("aria-disabled", place === rows.length - 1);
  });
}

function startDrag(event, row, list, self) {
  if (event.button !== 0) return;
  const handle = event.currentTarget;
  event.preventDefault();
  handle.focus();
  handle.setPointerCapture(event.pointerId);
  const before = [...list.children];
  let grip = event.clientY;
  self.drag = row;
  row.classList.add("dragged");
  const follow = (at) => {
    // The neighbours step aside; to move the row itself would let the pointer go.
    for (let other; (other = row.previousElementSibling) && at - grip < -other.offsetHeight / 2; ) {
      grip -= other.offsetHeight + gap(list);
      row.after(other);
    }
    for (let other; (other = row.nextElementSibling) && at - grip > other.offsetHeight / 2; ) {
      grip += other.offsetHeight + gap(list);
      row.before(other);
    }
    row.style.transform = `translateY(${at - grip}px)`;
  };
  const stop = new AbortController();
  const end = (keep) => {
    stop.abort();
    self.drag = null;
    row.style.transform = "";
    row.classList.remove("dragged");
    if (!keep) list.append(...before);
    if (keep && before.some((each, place) => each !== list.children[place])) moved(row, list, self);
    handle.focus();
  };
  const on = (what, act) => handle.addEventListener(what, act, { signal: stop.signal });
  on("pointermove", (move) => follow(move.clientY));
  on("pointerup", () => end(true));
  on("pointercancel", () => end(false));
  on("keydown", (key) => key.key === "Escape" && end(false));
}

function gap(list) {
  return parseFloat(getComputedStyle(list).rowGap) || 0;
}

function keepingFocus(list, act) {
  const focused = list.getRootNode().activeElement;
  act();
  if (focused && list.contains(focused)) focused.focus({ preventScroll: true });
}

function button(row, name, glyph, label) {
  const made = row.appendChild(document.createElement("button"));
  made.type = "button";
  made.className = name;
  if (label) made.setAttribute("aria-label", label);
  icon(made).textContent = glyph;
  return made;
}

function icon(parent) {
  const made = part(parent, "icon");
  made.setAttribute("aria-hidden", "true");
  return made;
}

function part(parent, name) {
  const made = parent.appendChild(document.createElement("span"));
  made.className = name;
  return made;
}
