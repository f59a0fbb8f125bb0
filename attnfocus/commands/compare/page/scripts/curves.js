// Learning curves on valid: the mean over the seeds, and a band of one standard deviation.

const NUM_COLORS = 6, NUM_SHOWN = 6;
const DASHES = ["", " d1", " d2"];

function curvesPart(section) {
  if (!section.curves.length) return null;
  const places = [...new Set(section.curves.flatMap((curve) => Object.keys(curve.of).map(Number)))].sort((a, b) => a - b);
  const state = remember(section, "curves", { metric: 0, step: null, shown: new Set(places.slice(0, NUM_SHOWN)) }), { shown } = state;
  const figureOf = element("figure"), readout = element("p", { class: "readout", role: "status", "aria-live": "polite" });
  const names = element("div", { class: "names", role: "group", "aria-label": word("curvesShown") });
  const styleOf = (place) => {
    const rank = places.indexOf(place);
    return { color: (rank % NUM_COLORS) + 1, dash: DASHES[Math.floor(rank / NUM_COLORS) % DASHES.length] };
  };
  let frame = null;

  function drawNames() {
    names.replaceChildren(...places.map((place) => {
      const { color, dash } = styleOf(place);
      const sample = drawn("svg", { width: 26, height: 10, "aria-hidden": "true" }, drawn("line", { class: `line s${color}${dash}`, x1: 0, x2: 26, y1: 5, y2: 5 }));
      const button = element("button", { type: "button", "aria-pressed": String(shown.has(place)), on: { click: () => toggle(place) } }, sample, section.rows[place].name);
      button.dataset.place = place;
      return button;
    }));
  }

  function toggle(place) {
    if (shown.has(place)) shown.delete(place);
    else shown.add(place);
    const had = document.activeElement?.dataset?.place;
    drawNames();
    draw();
    [...names.children].find((each) => each.dataset.place === had)?.focus();
  }

  const chosen = () => section.curves[state.metric];
  const drawnCurves = () => places.filter((place) => shown.has(place) && chosen().of[place]).map((place) => [place, chosen().of[place]]);

  function draw() {
    const curves = drawnCurves();
    readout.textContent = "";
    if (!curves.length) {
      figureOf.replaceChildren(element("p", { class: "hint", text: word("noCurve") }));
      return;
    }
    const steps = curves.flatMap(([, curve]) => curve.steps);
    const lows = curves.flatMap(([, curve]) => curve.means.map((mean, at) => mean - curve.deviations[at]));
    const highs = curves.flatMap(([, curve]) => curve.means.map((mean, at) => mean + curve.deviations[at]));
    const up = ticksOf(Math.min(...lows), Math.max(...highs), chosen().share);
    const across = ticksOf(Math.min(...steps), Math.max(...steps), false);
    const name = metricName(chosen()), better = betterWords(chosen().better);
    const label = word("curveLabel", { name, configurations: word("configurationsCount", { number: curves.length }) });
    frame = frameOf(across, up, [word("step"), better ? word("axis", { name, better }) : name], label);
    for (const [place, curve] of curves) frame.svg.append(...shapes(place, curve, up));
    listen(curves);
    figureOf.replaceChildren(frame.svg);
  }

  function shapes(place, curve, up) {
    const { color, dash } = styleOf(place), inside = (value) => Math.max(up.low, Math.min(up.high, value));
    const at = (value, index) => `${frame.x(curve.steps[index]).toFixed(1)},${frame.y(inside(value)).toFixed(1)}`;
    const upper = curve.means.map((mean, i) => at(mean + curve.deviations[i], i)), lower = curve.means.map((mean, i) => at(mean - curve.deviations[i], i));
    const most = Math.max(...curve.counts), until = curve.counts.findIndex((count) => count < most);
    const whole = until < 0 ? curve.means.length : until, points = curve.means.map(at);
    const found = [drawn("polygon", { class: `band f${color}`, points: [...upper, ...lower.reverse()].join(" ") })];
    found.push(drawn("polyline", { class: `line s${color}${dash}`, points: points.slice(0, whole).join(" ") }));
    if (whole < points.length) found.push(drawn("polyline", { class: `line fewer s${color}`, points: points.slice(Math.max(0, whole - 1)).join(" ") }));
    return found;
  }

  function listen(curves) {
    const steps = [...new Set(curves.flatMap(([, curve]) => curve.steps))].sort((a, b) => a - b);
    function read(step) {
      state.step = step;
      const parts = curves.filter(([, curve]) => curve.steps.includes(step)).map(([place, curve]) => {
        const at = curve.steps.indexOf(step), count = curve.counts[at];
        return `${section.rows[place].name} ${figure(curve.means[at])}${count > 1 ? ` \u00b1 ${figure(curve.deviations[at])}` : ""} (n=${count})`;
      });
      readout.textContent = word("atStep", { step, values: parts.join("; ") });
    }
    follow(frame, steps, read, steps.indexOf(state.step));
  }

  drawNames();
  draw();
  redraws.width.push(draw);
  const entries = section.curves.map((curve, place) => [place, metricName(curve)]);
  const more = section.curves_left_out ? word("curvesMore", { number: section.curves_left_out }) : "";
  return element(
    "section", { "aria-label": word("curves") },
    element("h3", { text: word("curves") }),
    element("p", { class: "hint", text: word("curvesHint") + more }),
    entries.length > 1 ? element("div", { class: "tools" }, chooser(word("metric"), entries, (value) => { state.metric = Number(value); state.step = null; draw(); }, state.metric)) : null,
    names, figureOf, readout,
  );
}
