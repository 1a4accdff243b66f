// SPDX-License-Identifier: BSD-3-Clause
// A sequence of tokens: the text itself, on the colors of the chosen unit.

const AROUND = 40; // steps of the curve on each side
const visible = label => label.replaceAll("\r", "\u240d").replaceAll("\n", "\u21b5").replaceAll("\t", "\u21e5").replaceAll(" ", "\u2423");
const wrapped = label => label.replaceAll("\r", "\u240d").replaceAll("\n", "\u21b5\n").replaceAll("\t", "\u21e5\t");
const contrast = ([r, g, b]) => (0.299 * r + 0.587 * g + 0.114 * b > 140 ? "#000" : "#fff");
const stepName = t => `step ${t}: ${visible(meta.labels[t])}`;
const sequenceKeys = {};

$("text").hidden = $("curve").hidden = false;
const steps = meta.labels.map((label, t) => {
  const step = element("i", { id: "t" + t, textContent: wrapped(label) });
  step.dataset.t = t;
  return step;
});
meta.unknown.forEach(t => steps[t].classList.add("unknown"));
$("text").append(...(meta.spaced ? steps.flatMap(step => [step, " "]) : steps));

function paintSequence() {
  const array = recurrence().arrays[view.array], value = values(array), largest = limit(array, view.unit);
  steps.forEach((step, t) => {
    const rgb = colour(value(t, view.unit) / largest, array.gate);
    step.style.backgroundColor = css(rgb);
    step.style.color = contrast(rgb);
  });
}

let underlined = [];

function paintSequenceStep() {
  document.querySelector("i.current")?.classList.remove("current");
  steps[view.t].classList.add("current");
  underlined.forEach(step => (step.style.boxShadow = step.title = ""));
  underlined = influences().map(([s, share]) => {
    steps[s].style.boxShadow = `inset 0 -6px rgba(${rgb("influence").join()},${share})`;
    steps[s].title = `influence ${Math.round(100 * share)} % of the largest`;
    return steps[s];
  });
  paintCurve();
}

function paintCurve() {
  const { pen, width, height } = fitted($("curve"), 400, 150);
  const from = view.t - AROUND, x = t => ((t - from) / (2 * AROUND)) * width, half = height / 2;
  pen.fillStyle = style("rule");
  pen.fillRect(x(view.t) - 1, 0, 2, height);
  pen.fillRect(0, half, width, 1);
  recurrence().arrays.forEach((array, k) => {
    const value = values(array), largest = limit(array, view.unit);
    pen.strokeStyle = line(k);
    pen.beginPath();
    for (let t = Math.max(0, from); t <= Math.min(T - 1, view.t + AROUND); t++) {
      const share = value(t, view.unit) / largest; // gates in the upper half, states in the lower
      pen.lineTo(x(t), array.gate ? half - 4 - share * (half - 8) : 1.5 * half - share * (half / 2 - 4));
    }
    pen.stroke();
  });
}

const showStep = () => steps[view.t].scrollIntoView({ block: "nearest" });

$("text").onmouseover = event => {
  const t = event.target.dataset.t;
  if (t !== undefined && !view.pinned) go(Number(t), false);
};
$("text").onclick = event => {
  const t = event.target.dataset.t;
  if (t !== undefined) go(Number(t), !view.pinned);
};
