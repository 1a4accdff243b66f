// SPDX-License-Identifier: BSD-3-Clause
// The page is told all by #meta and by blocks of base64, which are decoded when they are first looked at.
"use strict";

const $ = id => document.getElementById(id);
const meta = JSON.parse($("meta").textContent);
const T = meta.labels.length;
const COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"]; // Okabe and Ito
const AROUND = 40; // steps of the curve on each side
const look = { strand: 0, array: 0, unit: 0, t: 0, pinned: false };

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

const strand = () => meta.strands[look.strand];

// Bytes times the unit's own scale; -128 stands for NaN.
function values(array) {
  const q = block(array.id, Int8Array), scale = block(array.id + "-scale", Float32Array), units = strand().units;
  return (t, u) => (q[t * units + u] === -128 ? NaN : q[t * units + u] * scale[u]);
}

// The value with the deepest colour: 1 for gates, else the unit's own largest magnitude.
const limit = (array, u) => (array.gate ? 1 : 127 * block(array.id + "-scale", Float32Array)[u] || 1);

// -- how it looks -----------------------------------------------------------------------------------------------------

function colour(share, gate) {
  if (Number.isNaN(share)) return [200, 200, 200];
  const end = gate ? [1, 102, 94] : share < 0 ? [33, 102, 172] : [178, 24, 43];
  const depth = Math.min(1, Math.abs(share));
  return end.map(part => Math.round(255 + (part - 255) * depth));
}

const css = rgb => `rgb(${rgb.join()})`;
const ink = ([r, g, b]) => (0.299 * r + 0.587 * g + 0.114 * b > 140 ? "#000" : "#fff");
const visible = label => label.replaceAll("\r", "\u240d").replaceAll("\n", "\u21b5").replaceAll("\t", "\u21e5").replaceAll(" ", "\u2423");
const written = label => label.replaceAll("\r", "\u240d").replaceAll("\n", "\u21b5\n").replaceAll("\t", "\u21e5\t");
const number = value => (Number.isNaN(value) ? "NaN" : value.toFixed(3).replace("-", "\u2212"));

function element(tag, properties, ...inside) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...inside);
  return made;
}

// A bar in a cell, from `start` to `end`, shares of its width.
function meter(start, end, colour) {
  const bar = element("b");
  bar.style.cssText = `left:${100 * start}%;width:${100 * (end - start)}%;background:${colour}`;
  return element("td", { className: "meter" }, bar);
}

// -- the sequence -----------------------------------------------------------------------------------------------------

const steps = meta.labels.map((label, t) => {
  const step = element("i", { id: "t" + t, textContent: written(label) });
  step.dataset.t = t;
  return step;
});
meta.unknown.forEach(t => steps[t].classList.add("unknown"));
$("text").append(...(meta.spaced ? steps.flatMap(step => [step, " "]) : steps));

function paintSteps() {
  const array = strand().arrays[look.array], value = values(array), most = limit(array, look.unit);
  steps.forEach((step, t) => {
    const rgb = colour(value(t, look.unit) / most, array.gate);
    step.style.backgroundColor = css(rgb);
    step.style.color = ink(rgb);
  });
  $("low").textContent = array.gate ? "0" : number(-most);
  $("high").textContent = array.gate ? "1" : number(most);
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
  for (let k = 0; k < meta.window && k <= look.t; k++) {
    const step = steps[look.t - k];
    step.style.boxShadow = `inset 0 -6px rgba(230,159,0,${shares[look.t * meta.window + k] / 255})`;
    step.title = `influence ${Math.round(shares[look.t * meta.window + k] / 2.55)} % of the largest`;
    underlined.push(step);
  }
}

// -- beside it --------------------------------------------------------------------------------------------------------

function paintValues() {
  const rows = strand().arrays.map((array, k) => {
    const value = values(array)(look.t, look.unit), share = value / limit(array, look.unit);
    const ends = array.gate ? [0, share] : [0.5 + Math.min(share, 0) / 2, 0.5 + Math.max(share, 0) / 2];
    const bar = Number.isNaN(value) ? element("td") : meter(...ends, COLOURS[k % 6]);
    const cells = [element("td", { className: "name", textContent: array.name }), bar];
    return element("tr", {}, ...cells, element("td", { className: "number", textContent: number(value) }));
  });
  $("values").tBodies[0].replaceChildren(...rows);
}

function paintCurve() {
  const canvas = $("curve"), pen = canvas.getContext("2d"), { width, height } = canvas;
  const from = look.t - AROUND, x = t => ((t - from) / (2 * AROUND)) * width, half = height / 2;
  pen.clearRect(0, 0, width, height);
  pen.fillStyle = "#eee";
  pen.fillRect(x(look.t) - 1, 0, 2, height);
  pen.fillRect(0, half, width, 1);
  strand().arrays.forEach((array, k) => {
    const value = values(array), most = limit(array, look.unit);
    pen.strokeStyle = COLOURS[k % 6];
    pen.beginPath();
    for (let t = Math.max(0, from); t <= Math.min(T - 1, look.t + AROUND); t++) {
      const share = value(t, look.unit) / most; // gates in the upper half, states in the lower
      pen.lineTo(x(t), array.gate ? half - 4 - share * (half - 8) : 1.5 * half - share * (half / 2 - 4));
    }
    pen.stroke();
  });
}

const COLUMNS = 32, CELL = 400 / COLUMNS;

function paintUnits() {
  const canvas = $("units"), array = strand().arrays[look.array], value = values(array);
  canvas.height = CELL * Math.ceil(strand().units / COLUMNS);
  const pen = canvas.getContext("2d"), corner = u => [CELL * (u % COLUMNS), CELL * Math.floor(u / COLUMNS)];
  for (let u = 0; u < strand().units; u++) {
    pen.fillStyle = css(colour(value(look.t, u) / limit(array, u), array.gate));
    pen.fillRect(...corner(u), CELL - 1, CELL - 1);
  }
  const [left, top] = corner(look.unit);
  pen.lineWidth = 2;
  pen.strokeRect(left, top, CELL - 1, CELL - 1);
}

function paintOutlook() {
  if (!meta.outlook) return;
  const { top, names, softmax } = meta.outlook, said = block("top", Uint32Array), of = block("top-value", Float32Array);
  const most = softmax ? 1 : Math.max(...of.subarray(look.t * top, (look.t + 1) * top).map(Math.abs)) || 1;
  const next = meta.outlook.next ? meta.outlook.next[look.t] : null, rows = [];
  const row = (k, value) => {
    const name = element("td", { className: "name", textContent: visible(names[k]) });
    const text = softmax ? (100 * value).toFixed(1) + " %" : number(value);
    const cells = [name, meter(0, Math.abs(value) / most, value < 0 ? COLOURS[1] : COLOURS[0])];
    const made = element("tr", {}, ...cells, element("td", { className: "number", textContent: text }));
    if (k === next) made.className = "actual";
    rows.push(made);
  };
  for (let k = 0; k < top; k++) row(said[look.t * top + k], of[look.t * top + k]);
  if (next !== null && !rows.some(made => made.className)) row(next, block("next-p", Float32Array)[look.t]);
  $("next").tBodies[0].replaceChildren(...rows);
}

function paintHere() {
  document.querySelector("i.here")?.classList.remove("here");
  steps[look.t].classList.add("here");
  const pinned = look.pinned ? " \u2014 held; click to let go" : "";
  $("here").textContent = `step ${look.t}: ${visible(meta.labels[look.t])}${pinned}`;
  underline();
  paintValues();
  paintCurve();
  paintUnits();
  paintOutlook();
}

// -- what a person does -----------------------------------------------------------------------------------------------

function fill(select, names) {
  select.replaceChildren(...names.map((name, k) => element("option", { value: k, textContent: name })));
}

function pick(change) {
  const name = strand().arrays[look.array].name;
  Object.assign(look, change);
  if ("strand" in change) {
    fill($("array"), strand().arrays.map(array => array.name));
    if (!("array" in change)) look.array = Math.max(0, strand().arrays.findIndex(array => array.name === name));
  }
  look.unit = Math.min(Math.max(0, look.unit || 0), strand().units - 1);
  $("strand").value = look.strand;
  $("array").value = look.array;
  $("unit").value = look.unit;
  $("unit").max = strand().units - 1;
  paintSteps();
  paintHere();
}

function go(t, pinned) {
  look.t = Math.min(Math.max(0, t), T - 1);
  look.pinned = pinned;
  paintHere();
}

$("strand").onchange = event => pick({ strand: Number(event.target.value) });
$("array").onchange = event => pick({ array: Number(event.target.value) });
$("unit").oninput = event => pick({ unit: Math.round(Number(event.target.value)) });
$("controls").onsubmit = event => event.preventDefault();
$("text").onmouseover = event => {
  const t = event.target.dataset.t;
  if (t !== undefined && !look.pinned) go(Number(t), false);
};
$("text").onclick = event => {
  const t = event.target.dataset.t;
  if (t !== undefined) go(Number(t), !look.pinned);
};
$("units").onclick = event => {
  const u = Math.floor(event.offsetX / CELL) + COLUMNS * Math.floor(event.offsetY / CELL);
  if (event.offsetX < CELL * COLUMNS && u < strand().units) pick({ unit: u });
};
document.onkeydown = event => {
  if (["INPUT", "SELECT"].includes(event.target.tagName)) return;
  const far = { ArrowLeft: -1, ArrowRight: 1 }[event.key], unit = { ArrowUp: 1, ArrowDown: -1 }[event.key];
  if (far) go(look.t + far, true);
  if (unit) pick({ unit: look.unit + unit });
  if (far || unit) event.preventDefault();
};

fill($("strand"), meta.strands.map(one => one.name));
if (meta.outlook) {
  $("outlook").hidden = false;
  $("outlook-title").textContent = meta.outlook.title;
}
if (meta.known.length) {
  $("known").hidden = false;
  const buttons = meta.known.map(({ text, strand, array, unit }) =>
    element("li", {}, element("button", { textContent: text, onclick: () => pick({ strand, array, unit }) })));
  $("known").querySelector("ul").append(...buttons);
}
pick({ strand: 0 });
