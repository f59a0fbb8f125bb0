// Layers x heads over the test rows, colored by a measure.

const measuresOf = () => [...new Set(Object.values(report.heads).flatMap(Object.keys))];
let measure = "";

function drawGrid() {
  const entries = Object.entries(report.heads), width = Math.max(0, ...entries.flatMap(([, of]) => Object.values(of).map((values) => values.length)));
  const isShown = entries.length > 1 || width > 1;
  $("grid").hidden = !isShown;
  if (!isShown) return;
  const measures = measuresOf();
  if (!measures.includes(measure)) measure = measures.includes("top_mass") ? "top_mass" : measures[0];
  const values = present(entries.flatMap(([, of]) => of[measure] ?? [])), high = SHARES.has(measure) ? 1 : Math.max(...values.map(Math.abs), 1e-9);
  const select = chooser(word("measure"), measures.map((each) => [each, name(each)]), (value) => { measure = value; drawGrid(); $("grid-measure").focus(); });
  Object.assign(select.querySelector("select"), { id: "grid-measure", value: measure });
  const body = element("tbody", {}, ...entries.map(([attention, of]) => element("tr", {}, element("th", { scope: "row", text: attention }), ...(of[measure] ?? []).map((value, head) => element("td", {}, gridCell(attention, head, value, high))))));
  section("grid", "gridPart", element("p", { class: "hint", text: word("gridHint", { low: 0, high: figure(high) }) + (entries.every(([attention, of]) => (of[measure] ?? []).every((_, head) => hasHead(attention, head))) ? "" : word("gridMissing")) }), element("div", { class: "tools" }, select), tableOf("gridPart", body));
  rove(body, () => width);
  reach(body);
}

function gridCell(attention, head, value, high) {
  const isShown = hasHead(attention, head), what = `${attention}, ${word("headNumber", { number: head })}, ${name(measure)}: ${figure(value)}`;
  const button = element("button", { type: "button", class: "cell", text: figure(value), "aria-label": what, "aria-disabled": String(!isShown), on: { click: () => openHead(attention, head) } });
  shadeBy(button, value === null ? 0 : value / high, figure(value));
  return button;
}

const mapWith = (example, attention, head) => example.maps.findIndex((map) => map.name === attention && map.heads.includes(head));
const hasHead = (attention, head) => data.examples.some((example) => mapWith(example, attention, head) >= 0);

/** The head in the example at hand, or in the first one that has it: not all heads of large maps have room in the page. */
async function openHead(attention, head) {
  if (!hasHead(attention, head)) return;
  const isHere = mapWith(data.examples[state.example], attention, head) >= 0;
  const example = isHere ? state.example : data.examples.findIndex((each) => mapWith(each, attention, head) >= 0);
  const map = mapWith(data.examples[example], attention, head), { heads } = data.examples[example].maps[map];
  await choose({ ...(isHere ? {} : { example }), map, head: heads.length > 1 ? heads.indexOf(head) : -1 });
  $("samples").scrollIntoView({ block: "start" });
  ($("head").disabled ? $("keys") : $("head")).focus({ preventScroll: true });
}
