// The steps of a plan as boxes, left to right where there is room and else from the top down,
// with a line from each step to those that wait for it.

const NARROWEST = 88; // px a column needs to be read
const GAP = 24;
const SVG = "http://www.w3.org/2000/svg";

export default function ({ data, parentElement }) {
  const list = parentElement.querySelector("ol");
  const self = (list.self ??= {});
  list.setAttribute("aria-label", data.label);
  const text = JSON.stringify(data);
  if (self.text !== text) {
    self.text = text;
    self.boxes = data.steps.map(box);
    self.lines = document.createElementNS(SVG, "svg");
    self.lines.setAttribute("aria-hidden", "true");
    list.replaceChildren(self.lines, ...self.boxes);
  }
  self.watch?.disconnect();
  self.watch = new ResizeObserver(() => layOut(list, self, data.steps));
  self.watch.observe(list);
  return () => self.watch.disconnect();
}

function box(step, index) {
  const item = document.createElement("li");
  item.dataset.state = step.state;
  item.title = step.about;
  const head = part(item, "title");
  if (step.icon) {
    const icon = part(head, "icon");
    icon.textContent = step.icon;
    icon.setAttribute("aria-hidden", "true");
  }
  part(head, "number").textContent = index + 1;
  part(head, "name").textContent = step.title;
  if (step.state) part(head, "unseen").textContent = `, ${step.state}`;
  part(item, "about").textContent = step.about;
  const after = step.after.map((each) => each + 1).join(", ");
  part(item, "unseen").textContent = after ? `Waits for ${after}.` : "Can start at once.";
  return item;
}

function layOut(list, self, steps) {
  const levels = 1 + Math.max(...steps.map((step) => step.level));
  const wide = list.clientWidth >= levels * (NARROWEST + GAP) - GAP;
  list.className = wide ? "wide" : "tall";
  const paths = wide ? acrossLevels(list, self, steps, levels) : downTheSide(list, self, steps);
  self.lines.setAttribute("viewBox", `0 0 ${list.clientWidth} ${list.clientHeight}`);
  self.lines.replaceChildren(
    ...paths.map((path) => {
      const line = document.createElementNS(SVG, "path");
      line.setAttribute("d", path);
      return line;
    }),
  );
}

// Left to right, a column a level. A line that passes a level by has a slot of its own there, so
// that it runs through no box.
function acrossLevels(list, self, steps, levels) {
  const columns = slots(steps, levels);
  const width = (list.clientWidth - (levels - 1) * GAP) / levels;
  const box = 30;
  const height = (slot) => (slot.box ? box : 8);
  const tall = (column) => column.reduce((sum, slot) => sum + height(slot) + 8, -8);
  const most = Math.max(...columns.map(tall));
  list.style.height = `${most + 4}px`;
  columns.forEach((column, level) => {
    let top = 2 + (most - tall(column)) / 2;
    for (const slot of column) {
      slot.left = level * (width + GAP);
      slot.right = slot.left + width;
      slot.middle = top + height(slot) / 2;
      if (slot.box) {
        const style = self.boxes[slot.step].style;
        Object.assign(style, {
          left: `${slot.left}px`,
          top: `${top}px`,
          width: `${width}px`,
          height: `${box}px`,
        });
      }
      top += height(slot) + 8;
    }
  });
  return steps.flatMap((step, index) =>
    step.after.map((before) => {
      let path = "";
      let from = columns[steps[before].level].find((slot) => slot.box && slot.step === before);
      for (let level = steps[before].level + 1; level <= step.level; level++) {
        const last = level === step.level;
        const wanted = last ? index : before;
        const to = columns[level].find((slot) => slot.box === last && slot.step === wanted);
        path += path ? "" : `M${from.right} ${from.middle}`;
        const end = to.left - (last ? 1 : 0);
        const bend = GAP / 2;
        path += ` C${from.right + bend} ${from.middle} ${to.left - bend} ${to.middle} ${end} ${to.middle}`;
        path += last ? tip(to.left - 1, to.middle) : ` H${to.right}`;
        from = to;
      }
      return path;
    }),
  );
}

function slots(steps, levels) {
  const columns = Array.from({ length: levels }, () => []);
  steps.forEach((step, index) => columns[step.level].push({ box: true, step: index }));
  steps.forEach((step) => {
    for (const before of step.after) {
      for (let level = steps[before].level + 1; level < step.level; level++) {
        if (!columns[level].some((slot) => !slot.box && slot.step === before)) {
          columns[level].push({ box: false, step: before });
        }
      }
    }
  });
  // Each column in the order of what its slots come from, so that few lines cross.
  columns.forEach((column, level) => {
    if (level === 0) return;
    const place = (box, step) =>
      columns[level - 1].findIndex((slot) => slot.box === box && slot.step === step);
    const seen = (step) => Math.max(place(true, step), place(false, step));
    const pull = (slot) => {
      const from = slot.box ? steps[slot.step].after : [slot.step];
      const places = from.map(seen).filter((at) => at >= 0);
      return places.reduce((sum, at) => sum + at, 0) / (places.length || 1);
    };
    column.sort((a, b) => pull(a) - pull(b));
  });
  return columns;
}

function downTheSide(list, self, steps) {
  list.style.height = "";
  self.boxes.forEach((box) => Object.assign(box.style, { left: "", top: "", width: "", height: "" }));
  return steps.flatMap((step, index) => step.after.map((before) => down(self, before, index)));
}

function down(self, from, to) {
  const [a, b] = [self.boxes[from], self.boxes[to]];
  const x1 = a.offsetLeft;
  const y1 = a.offsetTop + a.offsetHeight / 2;
  const y2 = b.offsetTop + b.offsetHeight / 2;
  // The further two steps are apart, the further to the left their line goes.
  const out = x1 - Math.min(6 + 4 * (to - from), 24);
  return (
    `M${x1} ${y1} C${out} ${y1} ${out} ${y1} ${out} ${y1 + 8} V${y2 - 8}` +
    ` C${out} ${y2} ${out} ${y2} ${x1 - 5} ${y2}` +
    tip(x1 - 1, y2)
  );
}

function tip(x, y) {
  return ` M${x - 5} ${y - 4} L${x} ${y} L${x - 5} ${y + 4}`;
}

function part(parent, name) {
  const made = parent.appendChild(document.createElement("span"));
  made.className = name;
  return made;
}
