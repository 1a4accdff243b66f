// SPDX-License-Identifier: BSD-3-Clause
// All data is in #meta and in blocks of base64, which are decoded when they are first used.
"use strict";

const $ = id => document.getElementById(id);
const meta = JSON.parse($("meta").textContent);
const T = meta.labels.length;
const COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"]; // Okabe and Ito
const AROUND = 40; // steps of the curve on each side
const view = { recurrence: 0, array: 0, unit: 0, t: 0, pinned: false };

// -- the data ---------------------------------------------------------------------------------------------------------

const decoded = new Map();

function block(id, Kind) {
  if (!decoded.has(id)) {
    const text = atob($(id).textContent), bytes = new Uint8Array(text.length);
    for (let k = 0; k < text.length; k++) bytes[k] = text.charCodeAt(k);
    decoded.set(id, new Kind(bytes.buffer));
    $(id).remove();
  }
  return decoded.get(id);
}

const recurrence = () => meta.recurrences[view.recurrence];

// Bytes times the scale of the unit; -128 stands for NaN.
function values(array) {
  const q = block(array.id, Int8Array), scale = block(array.id + "-scale", Float32Array), units = recurrence().units;
  return (t, u) => (q[t * units + u] === -128 ? NaN : q[t * units + u] * scale[u]);
}

// The value with the deepest colour: 1 for gates, else the largest magnitude of the unit.
const limit = (array, u) => (array.gate ? 1 : 127 * block(array.id + "-scale", Float32Array)[u] || 1);

// -- colours and text -------------------------------------------------------------------------------------------------

function colour(share, gate) {
  if (Number.isNaN(share)) return [200, 200, 200];
  const end = gate ? [1, 102, 94] : share < 0 ? [33, 102, 172] : [178, 24, 43];
  const depth = Math.min(1, Math.abs(share));
  return end.map(part => Math.round(255 + (part - 255) * depth));
}

const css = rgb => `rgb(${rgb.join()})`;
const ink = ([r, g, b]) => (0.299 * r + 0.587 * g + 0.114 * b > 140 ? "#000" : "#fff");
const visible = label => label.replaceAll("\r", "\u240d").replaceAll("\n", "\u21b5").replaceAll("\t", "\u21e5").replaceAll(" ", "\u2423");
const wrapped = label => label.replaceAll("\r", "\u240d").replaceAll("\n", "\u21b5\n").replaceAll("\t", "\u21e5\t");
const number = value => (Number.isNaN(value) ? "NaN" : value.toFixed(3).replace("-", "\u2212"));

function element(tag, properties, ...inside) {
  const created = Object.assign(document.createElement(tag), properties);
  created.append(...inside);
  return created;
}

// A bar in a cell, from `start` to `end`, shares of its width.
function meter(start, end, colour) {
  const bar = element("b");
  bar.style.cssText = `left:${100 * start}%;width:${100 * (end - start)}%;background:${colour}`;
  return element("td", { className: "meter" }, bar);
}

// -- the sequence -----------------------------------------------------------------------------------------------------

const steps = meta.labels.map((label, t) => {
  const step = element("i", { id: "t" + t, textContent: wrapped(label) });
  step.dataset.t = t;
  return step;
});
meta.unknown.forEach(t => steps[t].classList.add("unknown"));
$("text").append(...(meta.spaced ? steps.flatMap(step => [step, " "]) : steps));

function paintSteps() {
  const array = recurrence().arrays[view.array], value = values(array), largest = limit(array, view.unit);
  steps.forEach((step, t) => {
    const rgb = colour(value(t, view.unit) / largest, array.gate);
    step.style.backgroundColor = css(rgb);
    step.style.color = ink(rgb);
  });
  $("low").textContent = array.gate ? "0" : number(-largest);
  $("high").textContent = array.gate ? "1" : number(largest);
  const bar = $("bar").getContext("2d");
  for (let x = 0; x < 160; x++) {
    bar.fillStyle = css(colour(array.gate ? x / 159 : x / 79.5 - 1, array.gate));
    bar.fillRect(x, 0, 1, 10);
  }
}

let underlined = [];

function underline() {
  underlined.forEach(step => (step.style.boxShadow = step.title = ""));
  underlined = [];
  if (!meta.window) return;
  const shares = block("influence", Uint8Array);
  for (let k = 0; k < meta.window && k <= view.t; k++) {
    const step = steps[view.t - k];
    step.style.boxShadow = `inset 0 -6px rgba(230,159,0,${shares[view.t * meta.window + k] / 255})`;
    step.title = `influence ${Math.round(shares[view.t * meta.window + k] / 2.55)} % of the largest`;
    underlined.push(step);
  }
}

// -- the sidebar ------------------------------------------------------------------------------------------------------

function paintValues() {
  const rows = recurrence().arrays.map((array, k) => {
    const value = values(array)(view.t, view.unit), share = value / limit(array, view.unit);
    const ends = array.gate ? [0, share] : [0.5 + Math.min(share, 0) / 2, 0.5 + Math.max(share, 0) / 2];
    const bar = Number.isNaN(value) ? element("td") : meter(...ends, COLOURS[k % 6]);
    const cells = [element("td", { className: "name", textContent: array.name }), bar];
    return element("tr", {}, ...cells, element("td", { className: "number", textContent: number(value) }));
  });
  $("values").tBodies[0].replaceChildren(...rows);
}

function paintCurve() {
  const canvas = $("curve"), pen = canvas.getContext("2d"), { width, height } = canvas;
  const from = view.t - AROUND, x = t => ((t - from) / (2 * AROUND)) * width, half = height / 2;
  pen.clearRect(0, 0, width, height);
  pen.fillStyle = "#eee";
  pen.fillRect(x(view.t) - 1, 0, 2, height);
  pen.fillRect(0, half, width, 1);
  recurrence().arrays.forEach((array, k) => {
    const value = values(array), largest = limit(array, view.unit);
    pen.strokeStyle = COLOURS[k % 6];
    pen.beginPath();
    for (let t = Math.max(0, from); t <= Math.min(T - 1, view.t + AROUND); t++) {
      const share = value(t, view.unit) / largest; // gates in the upper half, states in the lower
      pen.lineTo(x(t), array.gate ? half - 4 - share * (half - 8) : 1.5 * half - share * (half / 2 - 4));
    }
    pen.stroke();
  });
}

const COLUMNS = 32, CELL = 400 / COLUMNS;

function paintUnits() {
  const canvas = $("units"), array = recurrence().arrays[view.array], value = values(array);
  canvas.height = CELL * Math.ceil(recurrence().units / COLUMNS);
  const pen = canvas.getContext("2d"), corner = u => [CELL * (u % COLUMNS), CELL * Math.floor(u / COLUMNS)];
  for (let u = 0; u < recurrence().units; u++) {
    pen.fillStyle = css(colour(value(view.t, u) / limit(array, u), array.gate));
    pen.fillRect(...corner(u), CELL - 1, CELL - 1);
  }
  const [left, top] = corner(view.unit);
  pen.lineWidth = 2;
  pen.strokeRect(left, top, CELL - 1, CELL - 1);
}

function paintPredictions() {
  if (!meta.predictions) return;
  const { top, names, softmax } = meta.predictions, best = block("top", Uint32Array), shown = block("top-value", Float32Array);
  const largest = softmax ? 1 : Math.max(...shown.subarray(view.t * top, (view.t + 1) * top).map(Math.abs)) || 1;
  const next = meta.predictions.next ? meta.predictions.next[view.t] : null, rows = [];
  const row = (k, value) => {
    const name = element("td", { className: "name", textContent: visible(names[k]) });
    const text = softmax ? (100 * value).toFixed(1) + " %" : number(value);
    const cells = [name, meter(0, Math.abs(value) / largest, value < 0 ? COLOURS[1] : COLOURS[0])];
    const created = element("tr", {}, ...cells, element("td", { className: "number", textContent: text }));
    if (k === next) created.className = "actual";
    rows.push(created);
  };
  for (let k = 0; k < top; k++) row(best[view.t * top + k], shown[view.t * top + k]);
  if (next !== null && !rows.some(created => created.className)) row(next, block("next-p", Float32Array)[view.t]);
  $("next").tBodies[0].replaceChildren(...rows);
}

function paintStep() {
  document.querySelector("i.current")?.classList.remove("current");
  steps[view.t].classList.add("current");
  const pinned = view.pinned ? " \u2014 pinned; click to release" : "";
  $("current").textContent = `step ${view.t}: ${visible(meta.labels[view.t])}${pinned}`;
  underline();
  paintValues();
  paintCurve();
  paintUnits();
  paintPredictions();
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
  $("recurrence").value = view.recurrence;
  $("array").value = view.array;
  $("unit").value = view.unit;
  $("unit").max = recurrence().units - 1;
  paintSteps();
  paintStep();
}

function go(t, pinned) {
  view.t = Math.min(Math.max(0, t), T - 1);
  view.pinned = pinned;
  paintStep();
}

$("recurrence").onchange = event => pick({ recurrence: Number(event.target.value) });
$("array").onchange = event => pick({ array: Number(event.target.value) });
$("unit").oninput = event => pick({ unit: Math.round(Number(event.target.value)) });
$("controls").onsubmit = event => event.preventDefault();
$("text").onmouseover = event => {
  const t = event.target.dataset.t;
  if (t !== undefined && !view.pinned) go(Number(t), false);
};
$("text").onclick = event => {
  const t = event.target.dataset.t;
  if (t !== undefined) go(Number(t), !view.pinned);
};
$("units").onclick = event => {
  const u = Math.floor(event.offsetX / CELL) + COLUMNS * Math.floor(event.offsetY / CELL);
  if (event.offsetX < CELL * COLUMNS && u < recurrence().units) pick({ unit: u });
};
document.onkeydown = event => {
  if (["INPUT", "SELECT"].includes(event.target.tagName)) return;
  const far = { ArrowLeft: -1, ArrowRight: 1 }[event.key], unit = { ArrowUp: 1, ArrowDown: -1 }[event.key];
  if (far) go(view.t + far, true);
  if (unit) pick({ unit: view.unit + unit });
  if (far || unit) event.preventDefault();
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
