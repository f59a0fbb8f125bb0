// Configurations as rows that can be sorted; their seeds as dots on one axis for each metric.

const STRIP = { width: 110, height: 12, edge: 5 };

function runsTable(section) {
  const state = remember(section, "runs", { metric: -1, key: null, down: false, each: false });
  const body = element("tbody"), head = element("tr");
  const table = element("table", { class: "runs" }, element("thead", {}, head), body);
  const bests = section.metrics.map((metric, place) => bestOf(section, metric, place));
  const ends = section.metrics.map((metric, place) => endsOf(section, metric, place));

  function sortBy(metric, key) {
    const same = state.metric === metric && state.key === key;
    const isBetterDown = metric >= 0 && section.metrics[metric].better !== "min";
    Object.assign(state, { metric, key, down: same ? !state.down : isBetterDown });
    draw();
  }

  function order() {
    const rows = section.rows.map((row, place) => ({ row, place, value: valueOf(row) }));
    const sign = state.down ? -1 : 1;
    return rows.sort((a, b) => {
      if (a.value === null || b.value === null) return (a.value === null) - (b.value === null) || a.place - b.place;
      const by = typeof a.value === "number" ? a.value - b.value : String(a.value).localeCompare(String(b.value), undefined, { numeric: true });
      return sign * by || a.place - b.place;
    });
  }

  function valueOf(row) {
    if (state.metric >= 0) {
      const found = present(row.values.map((values) => values[state.metric]));
      return found.length ? meanOf(found) : null;
    }
    return state.key === null ? 0 : state.key === "runs" ? row.seeds.length : row.labels[state.key] ?? "-";
  }

  function heading(text, metric, key, hint, classes) {
    const isChosen = state.metric === metric && state.key === key;
    const button = element("button", { type: "button", text: `${text}${isChosen ? (state.down ? " \u25be" : " \u25b4") : ""}`, title: hint, on: { click: () => sortBy(metric, key) } });
    button.dataset.sort = key ?? section.metrics[metric].key;
    return element("th", { scope: "col", class: classes, "aria-sort": isChosen ? (state.down ? "descending" : "ascending") : null }, button);
  }

  function drawHead() {
    const hint = (metric) => [word("sort"), betterWords(metric.better)].filter(Boolean).join("; ");
    head.replaceChildren(
      ...section.keys.map((key) => heading(key, -1, key, word("sort"), "text")),
      heading(word("runsColumn"), -1, "runs", word("sort")),
      ...section.metrics.map((metric, place) => heading(`${metricName(metric)} ${ARROWS[metric.better]}`.trim(), place, null, hint(metric))),
    );
  }

  function draw() {
    const focused = document.activeElement?.dataset?.sort;
    drawHead();
    body.replaceChildren(...order().flatMap(({ row, place }) => [rowOf(row, place), ...(state.each ? runsOf(row) : [])]));
    if (focused !== undefined) [...head.querySelectorAll("button")].find((each) => each.dataset.sort === focused)?.focus();
  }

  function rowOf(row, place) {
    const labels = section.keys.map((key, at) => element(at ? "td" : "th", { class: "text", scope: at ? null : "row", text: row.labels[key] ?? "-" }));
    if (place === 0 && section.rows.length > 1 && labels.length) labels[0].append(element("div", { class: "of", text: word("baseline") }));
    const cells = section.metrics.map((metric, at) => {
      const values = row.values.map((each) => each[at]);
      const isBest = bests[at] === place;
      const text = element("span", { class: isBest ? "best" : null, text: spreadText(values, row.seeds.length, metric.unit) });
      return element("td", {}, text, ends[at] ? strip(row, at, ends[at]) : null);
    });
    return element("tr", { class: place === 0 ? "baseline" : null }, ...labels, element("td", { text: String(row.seeds.length) }), ...cells);
  }

  function runsOf(row) {
    return row.seeds.map((seed, at) => element(
      "tr", { class: "run" },
      element("th", { scope: "row", text: word("seed", { seed }) }),
      ...(section.keys.length > 1 ? [element("td", { class: "path", colspan: section.keys.length - 1, text: row.dirs[at] })] : []),
      element("td", { text: "" }),
      ...section.metrics.map((metric, place) => element("td", { text: figure(row.values[at][place] ?? null, metric.unit) })),
    ));
  }

  const each = element("input", { type: "checkbox", checked: state.each ? "" : null, on: { change: () => { state.each = each.checked; draw(); } } });
  draw();
  return element(
    "section", { "aria-label": word("runs") },
    element("h3", { text: word("runs") }),
    element("p", { class: "hint", text: word("runsHint") }),
    element("div", { class: "tools" }, element("label", {}, each, word("eachRun"))),
    element("div", { class: "table wide", tabindex: "0", role: "region", "aria-label": word("runsTable") }, table),
  );
}

/** The place of the row with the best mean; none where neither side is better or all are equal. */
function bestOf(section, metric, place) {
  const means = section.rows.map((row) => present(row.values.map((values) => values[place]))).map((found) => (found.length ? meanOf(found) : null));
  const known = present(means);
  if (!metric.better || known.length < 2 || new Set(known).size === 1) return -1;
  const best = metric.better === "max" ? Math.max(...known) : Math.min(...known);
  return known.filter((mean) => mean === best).length > 1 ? -1 : means.indexOf(best);
}

function endsOf(section, metric, place) {
  const all = present(section.rows.flatMap((row) => row.values.map((values) => values[place])));
  return all.length > 1 && Math.min(...all) < Math.max(...all) && metric.unit !== "count" ? [Math.min(...all), Math.max(...all)] : null;
}

function strip(row, place, [low, high]) {
  const at = (value) => STRIP.edge + ((value - low) / (high - low)) * (STRIP.width - 2 * STRIP.edge);
  const found = present(row.values.map((values) => values[place]));
  const middle = STRIP.height / 2, shown = found.slice(0, 50);
  return drawn(
    "svg", { class: "strip", width: STRIP.width, height: STRIP.height, "aria-hidden": "true" },
    drawn("line", { class: "axis", x1: STRIP.edge, x2: STRIP.width - STRIP.edge, y1: middle, y2: middle }),
    ...shown.map((value) => drawn("circle", { class: "seed", cx: at(value), cy: middle, r: 3.2 })),
    ...(found.length ? [drawn("rect", { class: "center", x: at(meanOf(found)) - 1.5, y: middle - 5, width: 3, height: 10 })] : []),
  );
}

function deviationOf(values) {
  const center = meanOf(values);
  return values.length < 2 ? null : Math.sqrt(values.reduce((sum, value) => sum + (value - center) ** 2, 0) / (values.length - 1));
}

/** Mean and deviation of a row in a metric; counts are equal or a range; n where not all runs have it. */
function spreadText(values, numRuns, unit) {
  const found = present(values);
  if (!found.length) return "-";
  const few = found.length < numRuns ? ` (n=${found.length})` : "";
  if (unit === "count") {
    const ends = [...new Set([Math.min(...found), Math.max(...found)].map((end) => figure(end, unit)))];
    return (ends.length > 1 ? word("range", { low: ends[0], high: ends[1] }) : ends[0]) + few;
  }
  const deviation = deviationOf(found);
  return figure(meanOf(found), unit) + (deviation ? ` \u00b1 ${figure(deviation, unit)}` : "") + few;
}
