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
    list.replaceChildren(...self.boxes, self.lines);
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
  list.style.gridTemplateColumns = wide ? `repeat(${levels}, minmax(0, 1fr))` : "";
  const filled = Array(levels).fill(0);
  const most = Math.max(...Array.from(filled, (_, level) => of(steps, level)));
  steps.forEach((step, index) => {
    const style = self.boxes[index].style;
    const place = filled[step.level]++;
    // Twice as many rows as the fullest level has, so that the others stand in the middle.
    const first = 2 * place + 1 + (most - of(steps, step.level));
    style.gridColumn = wide ? step.level + 1 : "";
    style.gridRow = wide ? `${first} / span 2` : "";
  });
  drawLines(list, self, steps, wide);
}

function of(steps, level) {
  return steps.filter((step) => step.level === level).length;
}

function drawLines(list, self, steps, wide) {
  const { clientWidth: width, clientHeight: height } = list;
  self.lines.setAttribute("viewBox", `0 0 ${width} ${height}`);
  self.lines.replaceChildren();
  steps.forEach((step, index) => {
    for (const before of step.after) {
      const line = document.createElementNS(SVG, "path");
      line.setAttribute("d", wide ? across(self, before, index) : down(self, before, index));
      self.lines.append(line);
    }
  });
}

function across(self, from, to) {
  const [a, b] = [self.boxes[from], self.boxes[to]];
  const x1 = a.offsetLeft + a.offsetWidth;
  const y1 = a.offsetTop + a.offsetHeight / 2;
  const x2 = b.offsetLeft;
  const y2 = b.offsetTop + b.offsetHeight / 2;
  const bend = Math.min(GAP / 2 + 4, (x2 - x1) / 2);
  return `M${x1} ${y1} C${x1 + bend} ${y1} ${x2 - bend} ${y2} ${x2 - 5} ${y2}` + tip(x2, y2, -1, 0);
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
    tip(x1, y2, -1, 0)
  );
}

function tip(x, y, dx) {
  return ` M${x + 5 * dx} ${y - 4} L${x} ${y} L${x + 5 * dx} ${y + 4}`;
}

function part(parent, name) {
  const made = parent.appendChild(document.createElement("span"));
  made.className = name;
  return made;
}
