// Curves of train and valid, with the best step.

const SERIES = { train: 1, valid: 2 };

function drawCurves() {
  const parts = report.curves.map(curvePart);
  section("curves", "curvesPart", ...(parts.length ? [element("p", { class: "hint", text: word("curvesHint") }), element("div", { class: "pair" }, ...parts)] : [element("p", { text: word("noCurves") })]));
}

function curvePart(curve) {
  const entries = Object.entries(curve.of), steps = [...new Set(entries.flatMap(([, each]) => each.steps))].sort((a, b) => a - b);
  const values = entries.flatMap(([, each]) => each.values), up = ticksOf(Math.min(...values), Math.max(...values), curve.share), across = ticksOf(0, Math.max(...steps), false);
  const names = entries.map(([split]) => word(split));
  const frame = frameOf(across, up, [word("step"), curve.name], word("curveLabel", { name: curve.name, splits: names.join(", ") }));
  const readout = element("p", { class: "readout", role: "status", "aria-live": "polite" });
  for (const [split, each] of entries) frame.svg.append(...lineOf(frame, split, each));
  if (report.best) frame.svg.append(...bestMark(frame));
  follow(frame, steps, (step) => {
    readout.textContent = `${word("step")} ${step}: ${entries.filter(([, each]) => each.steps.includes(step)).map(([split, each]) => `${word(split)} ${figure(each.values[each.steps.indexOf(step)])}`).join("; ")}`;
  });
  const legend = element("p", { class: "legend" }, ...entries.flatMap(([split]) => [drawn("svg", { width: 26, height: 10, "aria-hidden": "true" }, drawn("line", { class: `line s${SERIES[split]}`, x1: 0, x2: 26, y1: 5, y2: 5 })), element("span", { text: word(split) })]));
  return element("figure", {}, element("h3", { text: curve.name }), legend, frame.svg, readout);
}

/** A line, and points where there are few. */
function lineOf(frame, split, { steps, values }) {
  const points = values.map((value, i) => [frame.x(steps[i]).toFixed(1), frame.y(value).toFixed(1)]);
  const line = drawn("polyline", { class: `line s${SERIES[split]}`, points: points.map((point) => point.join(",")).join(" ") });
  return [line, ...(points.length <= 20 ? points.map(([cx, cy]) => drawn("circle", { class: `f${SERIES[split]}`, cx, cy, r: 3 })) : [])];
}

function bestMark(frame) {
  const x = frame.x(report.best.step), isRight = x > frame.width / 2;
  return [
    drawn("line", { class: "best-step", x1: x, x2: x, y1: frame.top, y2: frame.height - frame.bottom }),
    drawn("text", { class: "best-text", x: x + (isRight ? -5 : 5), y: frame.top + 10, "text-anchor": isRight ? "end" : "start", text: `${word("bestStep")} (${report.best.step})` }),
  ];
}
