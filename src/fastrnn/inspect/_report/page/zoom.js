// SPDX-License-Identifier: BSD-3-Clause
// The part of the axis of steps that is in view: wheel, drag, double click, buttons and keys.

let waiting = 0;

// Show these steps, or as many around them as have to be there, without leaving the sequence.
function show(from, to) {
  const size = Math.min(Math.max(to - from, FEWEST), T), middle = (from + to) / 2;
  const start = Math.min(Math.max(middle - size / 2, ALL.from), ALL.to - size);
  shown = { from: start, to: start + size };
  waiting ||= requestAnimationFrame(redraw); // a wheel may turn several times before the next frame
}

function redraw() {
  waiting = 0;
  panels().forEach(draw);
  drawAxis();
  drawShading();
}

const zoom = (factor, about = view.t) => show(about - (about - shown.from) * factor, about + (shown.to - about) * factor);

function showStep() {
  const size = shown.to - shown.from;
  if (view.t < shown.from || view.t > shown.to) show(view.t - size / 2, view.t + size / 2);
}

const sequenceKeys = {
  "+": () => zoom(1 / 2),
  "=": () => zoom(1 / 2), // + without Shift
  "-": () => zoom(2),
  0: () => show(ALL.from, ALL.to),
};
$("in").onclick = sequenceKeys["+"];
$("out").onclick = sequenceKeys["-"];
$("all").onclick = $("curves").ondblclick = sequenceKeys[0];

const pointerAt = event => event.clientX - $("curves").getBoundingClientRect().left;

$("curves").addEventListener("wheel", event => {
  if (event.ctrlKey || pointerAt(event) < LEFT) return; // beside the curves it scrolls
  event.preventDefault();
  const pixels = event.deltaMode ? 30 : 1, moved = (event.deltaX * pixels * (shown.to - shown.from)) / inner;
  if (Math.abs(event.deltaX) > Math.abs(event.deltaY)) show(shown.from + moved, shown.to + moved);
  else zoom(2 ** ((event.deltaY * pixels) / 250), under(pointerAt(event)));
}, { passive: false });
$("curves").onpointerdown = event => {
  if (event.button) return;
  const x = pointerAt(event);
  dragged = { from: x, to: x };
  $("curves").setPointerCapture(event.pointerId);
};
$("curves").onpointermove = event => {
  const x = pointerAt(event);
  if (dragged) dragged.to = x;
  if (view.pinned) drawShading();
  else go(nearest(under(x)), false);
};
$("curves").onpointerup = () => {
  if (!dragged) return;
  const { from, to } = dragged;
  dragged = null;
  if (Math.abs(to - from) > 4) show(under(Math.min(from, to)), under(Math.max(from, to)));
  else go(nearest(under(to)), !view.pinned);
};
$("curves").onpointercancel = () => {
  dragged = null;
  drawShading();
};

$("outputs-title").hidden = !outputs.length;
if (meta.window || meta.whole) {
  $("influence-on").hidden = false;
  const count = block("influence", Uint8Array).length / (T * (meta.window || 1));
  fill($("output"), meta.predictions.names.slice(0, count));
}
new ResizeObserver(() => paint()).observe($("curves"));
