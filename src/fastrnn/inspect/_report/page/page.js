// SPDX-License-Identifier: BSD-3-Clause
// What is beside the sequence, and what is chosen.

function paintScale() {
  const array = recurrence().arrays[view.array], largest = limit(array, view.unit);
  $("low").textContent = array.gate ? "0" : number(-largest);
  $("high").textContent = array.gate ? "1" : number(largest);
  const bar = $("bar").getContext("2d");
  for (let x = 0; x < 160; x++) {
    bar.fillStyle = css(colour(array.gate ? x / 159 : x / 79.5 - 1, array.gate));
    bar.fillRect(x, 0, 1, 10);
  }
}

// A bar in a cell, from `start` to `end`, shares of its width.
function meter(start, end, colour) {
  const bar = element("b");
  bar.style.cssText = `left:${100 * start}%;width:${100 * (end - start)}%;background:${colour}`;
  return element("td", { className: "meter" }, bar);
}

function paintValues() {
  const rows = recurrence().arrays.map((array, k) => {
    const value = values(array)(view.t, view.unit), share = value / limit(array, view.unit);
    const ends = array.gate ? [0, share] : [0.5 + Math.min(share, 0) / 2, 0.5 + Math.max(share, 0) / 2];
    const bar = Number.isNaN(value) ? element("td") : meter(...ends, line(k));
    const cells = [element("td", { className: "name", textContent: array.name }), bar];
    return element("tr", {}, ...cells, element("td", { className: "number", textContent: number(value) }));
  });
  $("values").tBodies[0].replaceChildren(...rows);
}

const COLUMNS = 32, CELL = 400 / COLUMNS;

function paintUnits() {
  const canvas = $("units"), array = recurrence().arrays[view.array], value = values(array);
  const height = CELL * Math.ceil(recurrence().units / COLUMNS);
  canvas.style.cssText = `width:400px;height:${height}px`;
  const { pen } = fitted(canvas, 400, height), corner = u => [CELL * (u % COLUMNS), CELL * Math.floor(u / COLUMNS)];
  for (let u = 0; u < recurrence().units; u++) {
    pen.fillStyle = css(colour(value(view.t, u) / limit(array, u), array.gate));
    pen.fillRect(...corner(u), CELL - 1, CELL - 1);
  }
  const [left, top] = corner(view.unit);
  pen.strokeStyle = style("ink");
  pen.lineWidth = 2;
  pen.strokeRect(left + 1, top + 1, CELL - 3, CELL - 3);
}

function paintPredictions() {
  if (!meta.predictions) return;
  const { top, names, softmax } = meta.predictions, best = block("top", Uint32Array), shown = block("top-value", Float32Array);
  const t = meta.whole ? 0 : view.t, text = value => (softmax ? (100 * value).toFixed(1) + " %" : amount(value));
  const largest = softmax ? 1 : Math.max(...shown.subarray(t * top, (t + 1) * top).map(Math.abs)) || 1;
  const next = meta.predictions.next ? meta.predictions.next[t] : null, rows = [];
  const row = (k, value) => {
    const name = element("td", { className: "name", textContent: softmax ? visible(names[k]) : names[k] });
    const cells = [name, meter(0, Math.abs(value) / largest, line(value < 0 ? 1 : 0))];
    const created = element("tr", {}, ...cells, element("td", { className: "number", textContent: text(value) }));
    if (k === next) created.className = "actual";
    rows.push(created);
  };
  for (let k = 0; k < top; k++) row(best[t * top + k], shown[t * top + k]);
  if (next !== null && !rows.some(created => created.className)) row(next, block("next-p", Float32Array)[t]);
  $("next").tBodies[0].replaceChildren(...rows);
}

function paintStep() {
  $("current").textContent = stepName(view.t) + (view.pinned ? " \u2014 pinned; click to release" : "");
  paintSequenceStep();
  paintValues();
  paintUnits();
  paintPredictions();
}

function paint() {
  paintScale();
  paintSequence();
  paintStep();
}

// -- events -----------------------------------------------------------------------------------------------------------

function fill(select, names) {
  select.replaceChildren(...names.map((name, k) => element("option", { value: k, textContent: name })));
}

function pick(change) {
  const name = recurrence().arrays[view.array].name;
  Object.assign(view, change);
  if ("recurrence" in change) {
    fill($("array"), recurrence().arrays.map(array => array.name));
    if (!("array" in change)) view.array = Math.max(0, recurrence().arrays.findIndex(array => array.name === name));
  }
  view.unit = Math.min(Math.max(0, view.unit || 0), recurrence().units - 1);
  for (const id of ["recurrence", "array", "unit", "output"]) $(id).value = view[id];
  $("unit").max = recurrence().units - 1;
  paint();
}

function go(t, pinned) {
  view.t = Math.min(Math.max(0, t), T - 1);
  view.pinned = pinned;
  paintStep();
}

for (const id of ["recurrence", "array", "output"]) $(id).onchange = event => pick({ [id]: Number(event.target.value) });
$("unit").oninput = event => pick({ unit: Math.round(Number(event.target.value)) });
$("controls").onsubmit = event => event.preventDefault();
$("units").onclick = event => {
  const u = Math.floor(event.offsetX / CELL) + COLUMNS * Math.floor(event.offsetY / CELL);
  if (event.offsetX < CELL * COLUMNS && u < recurrence().units) pick({ unit: u });
};

function walk(t) {
  go(t, true);
  showStep();
}

const keys = {
  ArrowLeft: far => walk(view.t - far),
  ArrowRight: far => walk(view.t + far),
  Home: () => walk(0),
  End: () => walk(T - 1),
  ArrowUp: far => pick({ unit: view.unit + far }),
  ArrowDown: far => pick({ unit: view.unit - far }),
  Escape: () => go(view.t, false),
  ...sequenceKeys,
};
document.onkeydown = event => {
  const { key, target, shiftKey, ctrlKey, metaKey, altKey } = event;
  if (["INPUT", "SELECT"].includes(target.tagName) || ctrlKey || metaKey || altKey || !Object.hasOwn(keys, key)) return;
  keys[key](shiftKey ? 10 : 1);
  event.preventDefault();
};
dark.onchange = () => {
  styles.clear();
  paint();
};

fill($("recurrence"), meta.recurrences.map(one => one.name));
if (meta.predictions) {
  $("predictions").hidden = false;
  $("predictions-title").textContent = meta.predictions.title;
}
if (meta.matches.length) {
  $("matches").hidden = false;
  const buttons = meta.matches.map(({ text, recurrence, array, unit }) =>
    element("li", {}, element("button", { textContent: text, onclick: () => pick({ recurrence, array, unit }) })));
  $("matches").querySelector("ul").append(...buttons);
}
pick({ recurrence: 0 });
