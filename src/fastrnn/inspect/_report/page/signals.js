// SPDX-License-Identifier: BSD-3-Clause
// A sequence of numbers: curves of the features, the chosen unit and the outputs over one axis of steps. Step t takes the
// part t - 0.5 .. t + 0.5 of the axis.

const LEFT = 56, RIGHT = 8, PAD = 6; // pixels beside the curves, where the axis of values is, and above and below them
const FEWEST = Math.min(T, 8); // steps that can be enlarged to the full width
const ALL = { from: -0.5, to: T - 0.5 };
let shown = ALL, dragged = null; // the part of the axis in view; where a mouse button went down and where the pointer is
let inner = 1; // the width of the axis

const place = t => LEFT + ((t - shown.from) / (shown.to - shown.from)) * inner;
const under = x => shown.from + ((x - LEFT) / inner) * (shown.to - shown.from); // the inverse of place
const nearest = t => Math.min(Math.max(Math.round(t), 0), T - 1);
const stepName = t => `step ${t}`;

// -- curves: at(t) is their value, show(value) its text; panels draw one or several on one scale --------------------------

const column = (id, k, count) => {
  const data = block(id, Float32Array);
  return t => data[t * count + k];
};

function extent(curves) {
  let low = Infinity, high = -Infinity;
  for (const { at } of curves) {
    for (let t = 0; t < T; t++) {
      const value = at(t);
      if (isFinite(value)) [low, high] = [Math.min(low, value), Math.max(high, value)];
    }
  }
  if (low > high) return [-1, 1]; // all are NaN
  const room = low === high ? Math.abs(low) / 2 || 1 : 0;
  return [low - room, high + room];
}

function panel(parent, curves, limits = extent(curves)) {
  const numbers = curves.map(() => element("output"));
  const names = curves.map(({ name, unit, k }, j) => {
    const swatch = element("b");
    swatch.style.background = `var(--line${k % 6})`;
    return element("span", {}, swatch, unit ? `${name} (${unit}) ` : `${name} `, numbers[j]);
  });
  const canvas = element("canvas");
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", `${curves.map(({ name }) => name).join(", ")} at each step`);
  $(parent).append(element("div", {}, element("p", { className: "legend" }, ...names), canvas));
  return { curves, limits, names, numbers, canvas };
}

$("signals").hidden = false;
const { features, units, outputs } = meta.signals;
const inputs = features.map((name, k) => panel("features", [{ name, unit: units[k], k: 5, show: amount, at: column("x", k, features.length) }]));
const results = outputs.map((name, k) => panel("outputs", [{ name, k: 0, show: amount, at: column("y", k, outputs.length) }]));
let unitPanels = [];

// The cell state of an LSTM has a scale of its own; h and the candidate share one, and so do the gates.
function makeUnitPanels() {
  $("state").replaceChildren();
  $("unit-title").textContent = `${recurrence().name}, unit ${view.unit}`;
  const curves = recurrence().arrays.map((array, k) => {
    const value = values(array), { unit } = view;
    return { name: array.name, gate: array.gate, k, show: number, at: t => value(t, unit) };
  });
  const groups = [curves.filter(({ name, gate }) => !gate && name !== "c"), curves.filter(({ name }) => name === "c")];
  const gates = curves.filter(({ gate }) => gate);
  unitPanels = groups.filter(group => group.length).map(group => panel("state", group));
  if (gates.length) unitPanels.push(panel("state", gates, [0, 1]));
}

const panels = () => [...inputs, ...unitPanels, ...results];

// -- drawing ----------------------------------------------------------------------------------------------------------

// Round numbers between two others, about `count` of them.
function ticks(low, high, count, least = 0) {
  const rough = (high - low) / count, power = 10 ** Math.floor(Math.log10(rough));
  const step = Math.max(least, power * [1, 2, 5, 10].find(factor => factor * power >= rough * 0.999));
  const first = Math.ceil(low / step - 1e-9);
  return Array.from({ length: Math.floor(high / step + 1e-9) - first + 1 }, (_, k) => (first + k) * step);
}

// Where a column of pixels has several steps, a line through the first, least, greatest and last of them looks the same as
// one through all (Jugel, Jerzak, Hackenbroich, Markl, VLDB 2014).
function tracePath(pen, at, y) {
  const first = nearest(Math.floor(shown.from)), last = nearest(Math.ceil(shown.to));
  const each = Math.max(1, (shown.to - shown.from) / inner), sparse = inner / (shown.to - shown.from) > 10;
  let joined = false;
  const point = t => {
    const value = at(t);
    if (!isFinite(value)) return void (joined = false);
    joined ? pen.lineTo(place(t), y(value)) : pen.moveTo(place(t), y(value));
    joined = true;
    if (sparse) {
      pen.rect(place(t) - 1.5, y(value) - 1.5, 3, 3);
      pen.moveTo(place(t), y(value));
    }
  };
  for (let start = first, k = 1; start <= last; k++) {
    const end = Math.min(last, Math.max(start, Math.ceil(first + k * each) - 1)); // of this column
    let least = start, greatest = start;
    for (let t = start + 1; t <= end; t++) {
      if (at(t) < at(least) || !isFinite(at(least))) least = t;
      if (at(t) > at(greatest) || !isFinite(at(greatest))) greatest = t;
    }
    point(start);
    if (end > start) [Math.min(least, greatest), Math.max(least, greatest), end].forEach(point);
    start = end + 1;
  }
}

function draw({ curves, limits: [low, high], canvas }) {
  const { pen, width, height } = fitted(canvas), y = value => PAD + ((high - value) / (high - low)) * (height - 2 * PAD);
  pen.font = "11px system-ui, sans-serif";
  pen.textAlign = "right";
  pen.textBaseline = "middle";
  for (const tick of ticks(low, high, 4)) {
    pen.fillStyle = style("rule");
    pen.fillRect(LEFT, Math.round(y(tick)), width - LEFT - RIGHT, 1);
    pen.fillStyle = style("soft");
    pen.fillText(amount(tick), LEFT - 6, y(tick));
  }
  pen.beginPath();
  pen.rect(LEFT, 0, width - LEFT - RIGHT, height);
  pen.clip();
  pen.lineWidth = 1.5;
  pen.lineJoin = "bevel";
  for (const { at, k } of curves) {
    pen.strokeStyle = line(k);
    pen.beginPath();
    tracePath(pen, at, y);
    pen.stroke();
  }
}

function drawAxis() {
  const { pen, width } = fitted($("axis"));
  pen.font = "11px system-ui, sans-serif";
  pen.fillStyle = style("soft");
  pen.fillRect(LEFT, 0, width - LEFT - RIGHT, 1);
  pen.textAlign = "center";
  for (const tick of ticks(Math.max(0, shown.from), Math.min(T - 1, shown.to) + 1e-6, Math.max(2, inner / 90), 1)) {
    pen.fillRect(place(tick), 0, 1, 4);
    pen.fillText(tick.toLocaleString("en"), Math.min(place(tick), width - RIGHT - 8), 16);
  }
  const [first, last] = [nearest(shown.from + 0.5), nearest(shown.to - 0.5)].map(t => t.toLocaleString("en"));
  $("range").textContent = `steps ${first} to ${last} of ${T.toLocaleString("en")}`;
}

// Behind the curves: influence, the part that is being chosen, and the current step.
function drawShading() {
  const { pen, height } = fitted($("shading"));
  pen.rect(LEFT, 0, inner, height);
  pen.clip();
  for (const [s, share] of influences()) {
    if (s + 0.5 < shown.from || s - 0.5 > shown.to || !share) continue;
    pen.fillStyle = `rgba(${rgb("influence").join()},${0.75 * share})`;
    pen.fillRect(place(s - 0.5), 0, Math.max(1, place(s + 0.5) - place(s - 0.5)), height);
  }
  if (dragged && Math.abs(dragged.to - dragged.from) > 4) {
    pen.fillStyle = `rgba(${rgb("below").join()},0.25)`;
    pen.fillRect(dragged.from, 0, dragged.to - dragged.from, height);
  }
  pen.fillStyle = style("ink");
  pen.fillRect(place(view.t) - 0.5, 0, 1, height);
}

function paintSequence() {
  inner = Math.max(1, $("curves").clientWidth - LEFT - RIGHT);
  makeUnitPanels();
  $("curves").style.setProperty("--panels", panels().length);
  panels().forEach(draw);
  drawAxis();
}

function paintSequenceStep() {
  for (const { curves, numbers } of panels()) curves.forEach(({ at, show }, k) => (numbers[k].textContent = show(at(view.t))));
  results.forEach(({ names: [name] }, k) => name.classList.toggle("chosen", !$("influence-on").hidden && k === view.output));
  drawShading();
}
