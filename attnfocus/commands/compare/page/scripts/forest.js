// Differences to the baseline: mean over the seeds, its interval, each seed as a circle, and the corrected p.

// Beside the curves there is less room.
const FOREST = { width: document.documentElement.clientWidth >= 1200 ? 150 : 300, height: 26, edge: 8 };

function forestPart(section) {
  if (!section.differences.length) return null;
  const holder = element("div");
  const usable = section.tested.filter((metric) => section.differences.some((each) => each.metric === metric.key && each.values.length));

  function draw(metric) {
    const rows = section.differences.filter((each) => each.metric === metric.key);
    const numbers = rows.flatMap((each) => [...each.values, ...(each.interval || [])]);
    const axis = ticksOf(Math.min(0, ...numbers), Math.max(0, ...numbers), false);
    const x = (value) => FOREST.edge + ((value - axis.low) / (axis.high - axis.low)) * (FOREST.width - 2 * FOREST.edge);
    const isCorrected = section.rows.length > 2, better = BETTER[metric.better];
    const heads = ["configuration", "", "difference", "95 % interval", isCorrected ? "p, corrected (Holm)" : "p"];
    const side = metric.better === "max" ? "right of the line is better" : metric.better === "min" ? "left of the line is better" : "";
    const cell = (place, options, ...children) => element("td", { "data-name": place > 1 ? heads[place] : null, ...options }, ...children);
    const body = rows.map((each) => element(
      "tr", {},
      cell(0, { class: "text", text: each.name }),
      cell(1, {}, each.values.length ? mark(each, x) : ""),
      cell(2, { text: signed(each.mean) }),
      cell(3, { text: each.interval ? `${signed(each.interval[0])} to ${signed(each.interval[1])}` : each.values.length === 1 ? "one seed" : "-" }),
      cell(4, { text: ps(each), title: each.seeds.map((seed, at) => `seed ${seed}: p ${chance(each.p[at])}, corrected ${chance(each.corrected[at])}`).join("\n") }),
    ));
    const foot = element("tr", {}, cell(0, { text: "" }), cell(1, {}, scale(axis, x)), cell(2, { text: "" }), cell(3, { text: "" }), cell(4, { text: "" }));
    holder.replaceChildren(
      element("p", { class: "hint", text: `${metric.name} less that of ${section.rows[0].name}${better ? `: ${better}, ${side}` : ""}. Circles are seeds, the bar is the 95 % interval of their mean (Student's t): where it crosses the dashed line, another seed may well turn the order around. p is of each seed's two models on the same test examples${isCorrected ? `, corrected for ${section.rows.length - 1} comparisons` : ""}.` }),
      element("div", { class: "table wide", tabindex: "0", role: "region", "aria-label": "Differences" }, element("table", { class: "forest" }, element("thead", {}, element("tr", {}, ...heads.map((text, at) => element("th", { class: at ? null : "text", scope: "col", text })))), element("tbody", {}, ...body, foot))),
    );
  }

  function mark(each, x) {
    const middle = FOREST.height / 2, words = `${each.name}: ${signed(each.mean)}`;
    const svg = drawn("svg", { width: FOREST.width, height: FOREST.height, role: "img", "aria-label": words });
    svg.append(drawn("line", { class: "zero", x1: x(0), x2: x(0), y1: 0, y2: FOREST.height }));
    if (each.interval) svg.append(drawn("line", { class: "reach", x1: x(each.interval[0]), x2: x(each.interval[1]), y1: middle, y2: middle }));
    for (const value of each.values.slice(0, 50)) svg.append(drawn("circle", { class: "seed", cx: x(value), cy: middle, r: 4 }));
    svg.append(drawn("rect", { class: "center", x: x(each.mean) - 4, y: middle - 4, width: 8, height: 8, transform: `rotate(45 ${x(each.mean)} ${middle})` }));
    return svg;
  }

  function scale(axis, x) {
    const svg = drawn("svg", { width: FOREST.width, height: 18, "aria-hidden": "true" });
    for (const value of axis.found) svg.append(drawn("text", { x: x(value), y: 12, "text-anchor": "middle", text: axis.text(value) }));
    return svg;
  }

  function ps(each) {
    const found = present(section.rows.length > 2 ? each.corrected : each.p);
    if (!found.length) return "-";
    return found.length > 3 ? `${chance(Math.min(...found))} to ${chance(Math.max(...found))}` : found.map(chance).join(", ");
  }

  if (usable.length) draw(usable[0]);
  const entries = usable.map((metric, place) => [place, metric.name]);
  return element(
    "section", { "aria-label": "Differences to the baseline" },
    element("h3", { text: `Differences to ${section.rows[0].name}` }),
    entries.length > 1 ? element("div", { class: "tools" }, chooser("Metric", entries, (value) => draw(usable[Number(value)]))) : null,
    usable.length ? holder : null,
    section.remarks.length ? element("ul", {}, ...section.remarks.map((text) => element("li", { text }))) : null,
  );
}
