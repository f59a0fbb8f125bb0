// Choosing: one function changes the state and draws what follows from it.

const example = () => data.examples[state.example];

function options(select, entries, chosen) {
  select.replaceChildren(...entries.map(([value, text]) => {
    const made = element("option", text);
    made.value = value;
    return made;
  }));
  select.value = String(chosen);
  select.disabled = entries.length < 2;
}

const cut = (text) => ([...text].length > 90 ? `${[...text].slice(0, 89).join("")}\u2026` : text);

/** The examples that have what is searched for in input, answer or target. */
function matches() {
  const wanted = $("search").value.trim().toLowerCase();
  const isFound = ({ source, prediction, target }) => [source, prediction, target].some((text) => (text ?? "").toLowerCase().includes(wanted));
  return data.examples.map((each, number) => [number, each]).filter(([number, each]) => !wanted || isFound(each) || String(number + 1) === wanted);
}

function drawControls() {
  const maps = example().maps, map = maps[state.map], found = matches();
  options($("example"), found.map(([number, each]) => [number, `${number + 1}  ${cut(each.source)}`]), state.example);
  $("found").textContent = $("search").value.trim() ? word("found", { number: found.length, all: data.examples.length }) : "";
  $("search").parentElement.hidden = data.examples.length < 2;
  const methods = [...new Set(maps.map((each) => each.method))];
  options($("method"), methods.map((each) => [each, methodName(each)]), map ? map.method : "");
  const named = maps.map((each, number) => [number, each.label || word("model"), each.method]);
  options($("attention"), named.filter(([, , method]) => map && method === map.method), state.map);
  const heads = map ? map.heads.map((number, place) => [place, word("headNumber", { number })]) : [];
  options($("head"), heads.length > 1 ? [[-1, word("meanOf", { number: heads.length })], ...heads] : heads.map(([, text]) => [-1, text]), state.head);
  const others = map ? comparable() : [];
  options($("minus"), [["", word("none")], ...others.map(({ id, text }) => [id, text])], others.some(({ id }) => id === state.minus) ? state.minus : "");
  $("minus").parentElement.hidden = !others.length;
  const scales = view?.isAttention ? ["one", "largest", "uniform"] : ["largest"];
  options($("scale"), scales.map((each) => [each, scaleName(each)]), view ? scaleOf() : "largest");
  $("words").checked = state.words;
  const canMerge = map && !map.sketch && [map.queries, map.keys].some((axis) => wordsOf(example().tokens[axis]));
  $("words").parentElement.hidden = !canMerge;
}

function drawShown() {
  const { map } = view, name = map.label ? `, ${map.label}` : "";
  const own = map.heads.length > 1 ? nameOf({ ...map, label: "" }, state.head).replace(`${methodName(map.method)}, `, "") : word("headNumber", { number: map.heads[0] });
  const head = view.other ? `${own} \u2212 ${view.other.text}` : own;
  $("shown").textContent = word("shown", {
    number: state.example + 1, all: data.examples.length, method: methodName(map.method), name,
    head, scale: scaleName(scaleOf()),
  });
}

/** Changes what is shown; `focusAfter` names the element that is made anew and should keep the keyboard's focus. */
async function choose(change, focusAfter) {
  const mine = ++turn, before = { ...state };
  Object.assign(state, change);
  const isNewExample = "example" in change, isNewMap = isNewExample || "map" in change;
  if (isNewExample && !("map" in change)) state.map = alike(data.examples[before.example].maps[before.map]);
  const map = example().maps[state.map];
  if (!map) return showNone();
  if (isNewMap && !("head" in change)) state.head = state.head < map.heads.length ? state.head : -1;
  if (map.heads.length < 2 || state.head >= map.heads.length) state.head = -1;
  const other = comparable().find(({ id }) => id === state.minus);
  if (!other && state.minus !== TWIN) state.minus = "";  // the other run's own map has no twin; the next one has
  await Promise.all([decode(map), decodePicture(example().picture), other && decode(map.sketch ? differenceOf(map) : example().maps[other.number])]);
  if (mine !== turn) return undefined;
  view = viewOf(map);
  if (isNewMap && !("query" in change)) state.query = state.key = -1;
  if (state.query >= view.queries.length || state.key >= view.keys.length || "words" in change && !("query" in change)) state.query = state.key = -1;
  for (const id of ["queries", "queries-title", "keys", "keys-title", "legend", "shown", "most-part", "output-part"]) $(id).hidden = false;
  drawAll(isNewExample);
  if (focusAfter) document.querySelector(focusAfter)?.focus();
  return undefined;
}

function drawAll(isNewExample = true) {
  drawControls();
  if (isNewExample) {
    drawAnswer();
    drawFocus();
    drawGlance();
  }
  drawShown();
  drawTokens();
  drawLegend();
  drawMatrix();
  drawHeads();
  markHere();
  point();
}

/** The number of the map that shows the same of the example at hand, if there is one. */
function alike(map) {
  const found = map ? example().maps.findIndex((each) => each.method === map.method && each.name === map.name) : -1;
  return found >= 0 && view ? found : example().first || 0;
}

function showNone() {
  view = null;
  drawControls();
  drawAnswer();
  const parts = ["queries", "queries-title", "queries-hint", "keys", "keys-title", "legend", "shown", "spread", "gold", "gold-key"];
  for (const id of [...parts, "matrix-part", "heads-part", "glance-part", "most-part", "focus-part", "output-part"]) $(id).hidden = true;
  $("readout").textContent = "";
  writeLink();
}

/** The chosen query and key are drawn anew; everything else stays. */
function point() {
  drawShades();
  drawMarks();
  $("readout").textContent = state.key >= 0 ? sentence(state.query, state.key) : "";
  writeLink();
  const { map } = view, { query } = state;
  if (map.sketch && query >= 0) loadTiles(map, [query, query + 1], [0, view.keys.length]).then((isNew) => isNew && view?.map === map && state.query === query && point());
}
