// Differences to the baseline: mean over the seeds, its interval, each seed as a circle, and the corrected p.

const FOREST = { height: 26, edge: 8 };

/** Pixels of a drawing: beside the curves there is less room. */
const forestWidth = () => (document.documentElement.clientWidth >= 1200 ? 150 : 300);

function forestPart(section) {
  if (!section.differences.length) return null;
  const holder = element("div"), state = remember(section, "forest", { metric: 0 });
  const usable = section.tested.filter((metric) => section.differences.some((each) => each.metric === metric.key && each.values.length));

  function draw(metric) {
    const rows = section.differences.filter((each) => each.metric === metric.key), width = (state.width = forestWidth());
    const numbers = rows.flatMap((each) => [...each.values, ...(each.interval || [])]);
    const axis = ticksOf(Math.min(0, ...numbers), Math.max(0, ...numbers), false);
    const x = (value) => FOREST.edge + ((value - axis.low) / (axis.high - axis.low)) * (width - 2 * FOREST.edge);
    const isCorrected = section.corrected > 1, better = betterWords(metric.better);
    const heads = [word("configuration"), "", word("difference"), word("interval"), word(isCorrected ? "pCorrected" : "p")];
    const side = better ? word("sideOfLine", { better, side: word(`side_${metric.better}`) }) : "";
    const hint = word("forestHint", { metric: metricName(metric), baseline: section.rows[0].name, side, corrected: isCorrected ? word("correctedFor", { number: section.corrected }) : "" });
    const cell = (place, options, ...children) => element("td", { "data-name": place > 1 ? heads[place] : null, ...options }, ...children);
    const body = rows.map((each) => element(
      "tr", {},
      cell(0, { class: "text", text: each.name }),
      cell(1, {}, each.values.length ? mark(each, x, width) : ""),
      cell(2, { text: signed(each.mean) }),
      cell(3, { text: each.interval ? word("range", { low: signed(each.interval[0]), high: signed(each.interval[1]) }) : each.values.length === 1 ? word("oneSeed") : "-" }),
      cell(4, { text: ps(each), title: each.seeds.map((seed, at) => word("chanceOfSeed", { seed, p: chance(each.p[at]), corrected: chance(each.corrected[at]) })).join("\n") }),
    ));
    const foot = element("tr", {}, cell(0, { text: "" }), cell(1, {}, scale(axis, x, width)), cell(2, { text: "" }), cell(3, { text: "" }), cell(4, { text: "" }));
    holder.replaceChildren(
      element("p", { class: "hint", text: hint }),
      element("div", { class: "table wide", tabindex: "0", role: "region", "aria-label": word("differences") }, element("table", { class: "forest" }, element("thead", {}, element("tr", {}, ...heads.map((text, at) => element("th", { class: at ? null : "text", scope: "col", text })))), element("tbody", {}, ...body, foot))),
    );
  }

  function mark(each, x, width) {
    const middle = FOREST.height / 2, words = `${each.name}: ${signed(each.mean)}`;
    const svg = drawn("svg", { width, height: FOREST.height, role: "img", "aria-label": words });
    svg.append(drawn("line", { class: "zero", x1: x(0), x2: x(0), y1: 0, y2: FOREST.height }));
    if (each.interval) svg.append(drawn("line", { class: "reach", x1: x(each.interval[0]), x2: x(each.interval[1]), y1: middle, y2: middle }));
    for (const value of each.values.slice(0, 50)) svg.append(drawn("circle", { class: "seed", cx: x(value), cy: middle, r: 4 }));
    svg.append(drawn("rect", { class: "center", x: x(each.mean) - 4, y: middle - 4, width: 8, height: 8, transform: `rotate(45 ${x(each.mean)} ${middle})` }));
    return svg;
  }

  function scale(axis, x, width) {
    const svg = drawn("svg", { width, height: 18, "aria-hidden": "true" });
    for (const value of axis.found) svg.append(drawn("text", { x: x(value), y: 12, "text-anchor": "middle", text: axis.text(value) }));
    return svg;
  }

  function ps(each) {
    const found = present(each.corrected);
    if (!found.length) return "-";
    return found.length > 3 ? word("range", { low: chance(Math.min(...found)), high: chance(Math.max(...found)) }) : found.map(chance).join(", ");
  }

  if (usable.length) {
    draw(usable[state.metric]);
    redraws.width.push(() => forestWidth() !== state.width && draw(usable[state.metric]));
  }
  const entries = usable.map((metric, place) => [place, metricName(metric)]);
  return element(
    "section", { "aria-label": word("differencesPart") },
    element("h3", { text: word("differencesTo", { name: section.rows[0].name }) }),
    entries.length > 1 ? element("div", { class: "tools" }, chooser(word("metric"), entries, (value) => { state.metric = Number(value); draw(usable[state.metric]); }, state.metric)) : null,
    usable.length ? holder : null,
    section.remarks.length ? element("ul", {}, ...section.remarks.map((text) => element("li", { lang: "en", text }))) : null,
  );
}
