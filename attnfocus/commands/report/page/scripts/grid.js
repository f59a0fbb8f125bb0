// Layers x heads, colored by a measure: over the test rows, and at evaluations of the training.

const attentions = [...new Set([report.heads, ...past.heads].flatMap(Object.keys))];
const labelOf = (attention) => report.labels[attention] ?? attention;
const allValues = (attention) => STOPS.flatMap((_, stop) => headsAt(stop)[attention]?.[measure] ?? []);
const numHeads = (attention) => Math.max(0, ...[report.heads, ...past.heads].flatMap((heads) => Object.values(heads[attention] ?? {}).map((values) => values.length)));
const measuresOf = () => [...new Set([report.heads, ...past.heads].flatMap((heads) => Object.values(heads).flatMap(Object.keys)))];
let measure = "";

/** What is known at all stops comes first. */
function firstMeasure(measures) {
  const wanted = STOPS.length > 1 ? ["effective_positions", ...loggedMeasures(), "top_mass"] : ["top_mass"];
  return wanted.find((each) => measures.includes(each)) ?? measures[0];
}

function drawGrid() {
  const width = Math.max(0, ...attentions.map(numHeads)), isShown = attentions.length > 1 || width > 1 || (width > 0 && canShow);
  $("grid").hidden = !isShown;
  if (!isShown) return;
  const measures = measuresOf();
  if (!measures.includes(measure)) measure = firstMeasure(measures);
  const values = present(attentions.flatMap(allValues)), high = SHARES.has(measure) ? 1 : Math.max(...values.map(Math.abs), 1e-9);
  const select = chooser(word("measure"), measures.map((each) => [each, name(each)]), (value) => { measure = value; drawGrid(); $("grid-measure").focus(); });
  Object.assign(select.querySelector("select"), { id: "grid-measure", value: measure });
  const cells = attentions.flatMap((attention) => Array.from({ length: numHeads(attention) }, (_, head) => gridCell(attention, head, width)));
  const body = element("tbody", {}, ...attentions.map((attention) => element("tr", {}, element("th", { scope: "row", text: labelOf(attention) }), ...cells.filter((cell) => cell.attention === attention).map(({ button, canvas }) => element("td", {}, button, canvas)))));
  const fill = () => { drawNow(measure); cells.forEach((cell) => fillCell(cell, high)); paintPast(cells); };
  const hint = word("gridHint", { low: 0, high: figure(high) }) + (cells.every(({ attention, head }) => hasHead(attention, head)) ? "" : word("gridMissing"));
  section("grid", "gridPart", element("p", { class: "hint", text: hint }), element("div", { class: "tools" }, select, exampleChooser(drawGrid)), sliderPart(fill), element("p", { class: "hint", id: "grid-now" }), picturesPart(), tableOf("gridPart", body), countsPart());
  fill();
  rove(body, () => width);
  reach(body);
}

function gridCell(attention, head, width) {
  const button = element("button", { type: "button", class: "cell", "aria-disabled": String(!hasHead(attention, head)), on: { click: () => openHead(attention, head) } });
  return { attention, head, button, canvas: pictureCanvas(attention, head, width) };
}

function fillCell({ attention, head, button }, high) {
  const value = headsAt(now.stop)[attention]?.[measure]?.[head] ?? null;
  button.textContent = figure(value);
  button.setAttribute("aria-label", `${labelOf(attention)}, ${word("headNumber", { number: head })}, ${name(measure)}: ${figure(value)}`);
  shadeBy(button, value === null ? 0 : value / high, figure(value));
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
