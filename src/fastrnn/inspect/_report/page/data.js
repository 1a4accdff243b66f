// SPDX-License-Identifier: BSD-3-Clause
// All data is in #meta and in blocks of base64, which are decoded when they are first used. What follows this file shows
// the sequence, as a text or as curves; page.js shows the rest.
"use strict";

const $ = id => document.getElementById(id);
const meta = JSON.parse($("meta").textContent);
const T = meta.steps;
const view = { recurrence: 0, array: 0, unit: 0, output: 0, t: 0, pinned: false };

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

// [step, share] for each step whose influence on the output at this step is known, relative to the largest of them.
function influences() {
  if (!meta.whole && !meta.window) return [];
  const shares = block("influence", Uint8Array), { t, output } = view;
  if (meta.whole) return Array.from({ length: T }, (_, s) => [s, shares[output * T + s] / 255]);
  const first = (output * T + t) * meta.window;
  return Array.from({ length: Math.min(meta.window, t + 1) }, (_, k) => [t - k, shares[first + k] / 255]);
}

// -- colours and text -------------------------------------------------------------------------------------------------

const dark = matchMedia("(prefers-color-scheme: dark)"), styles = new Map();

// A colour of the style sheet: its text, and its red, green and blue if these are its text.
function read(name) {
  const text = getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim();
  styles.set(name, { text, parts: text.split(" ").map(Number) });
}

const style = name => (styles.has(name) || read(name), styles.get(name).text);
const rgb = name => (styles.has(name) || read(name), styles.get(name).parts);
const line = k => style("line" + (k % 6));

function colour(share, gate) {
  if (Number.isNaN(share)) return rgb("none");
  const start = rgb("paper"), end = rgb(gate ? "gate" : share < 0 ? "below" : "above"), depth = Math.min(1, Math.abs(share));
  return end.map((part, k) => Math.round(start[k] + (part - start[k]) * depth));
}

const css = rgb => `rgb(${rgb.join()})`;
const number = value => (Number.isNaN(value) ? "NaN" : value.toFixed(3).replace("-", "\u2212"));

// A number of any magnitude, to five digits.
function amount(value) {
  const size = Math.abs(value), plain = size === 0 || (size >= 1e-3 && size < 1e6);
  return (plain || !isFinite(value) ? String(Number(value.toPrecision(5))) : Number(value.toPrecision(4)).toExponential()).replaceAll("-", "\u2212");
}

function element(tag, properties, ...inside) {
  const created = Object.assign(document.createElement(tag), properties);
  created.append(...inside);
  return created;
}

// The pen of a cleared canvas, and its size in pixels of the page, which may have several of the screen. To measure it
// takes a layout of the page, which is slow where steps are elements that have just changed.
function fitted(canvas, width = canvas.clientWidth, height = canvas.clientHeight) {
  const scale = devicePixelRatio || 1;
  [canvas.width, canvas.height] = [Math.round(width * scale), Math.round(height * scale)];
  const pen = canvas.getContext("2d");
  pen.scale(scale, scale);
  return { pen, width, height };
}
