// The grid of heads over training: a slider over some evaluations, and small pictures of an example at each of them.

const past = report.history;
const hasTest = Object.keys(report.heads).length > 0;
const STOPS = [...(past.steps.length > 1 || !hasTest ? past.steps : []), ...(hasTest ? [null] : [])];  // null: the test rows
const SIDES = [[2, 220], [4, 130], [8, 84]];  // up to so many heads: pixels of a picture
const now = { stop: STOPS.length - 1, example: 0 };
const canShow = STOPS.length > 1 && past.examples.length > 0 && "DecompressionStream" in window;

const isTest = (stop) => STOPS[stop] === null;
const headsAt = (stop) => (isTest(stop) ? report.heads : past.heads[stop]);
const loggedMeasures = () => [...new Set(past.heads.flatMap((heads) => Object.values(heads).flatMap(Object.keys)))];
const pictureOf = (attention) => (canShow ? past.examples[now.example].maps.find((map) => map.name === attention) : undefined);

/** The evaluation whose pictures are shown: of the test rows that of the tested weights, or the nearest. */
function evaluationAt(stop) {
  if (!isTest(stop)) return stop;
  const step = report.best?.step ?? Infinity, distances = past.steps.map((each) => Math.abs(each - step));
  return Number.isFinite(step) ? distances.indexOf(Math.min(...distances)) : past.steps.length - 1;
}

function stopName(stop) {
  const step = STOPS[stop], best = report.best?.step;
  if (isTest(stop)) return word("stopTest", { step: best ?? "-" });
  return word(step === best ? "stopBest" : "stopStep", { step: figure(step, "count"), split: splitName(report.validated) });
}

/** The slider with its steps; null where there is one stop. */
function sliderPart(react) {
  if (STOPS.length < 2) return null;
  const last = STOPS.length - 1;
  const input = element("input", { type: "range", id: "grid-stop", min: 0, max: last, step: 1, "aria-describedby": "grid-now" });
  input.value = now.stop;
  const say = () => input.setAttribute("aria-valuetext", stopName(now.stop));
  input.addEventListener("input", () => { now.stop = Number(input.value); say(); react(); });
  say();
  const marks = STOPS.map((step, stop) => {
    const mark = element("span", { class: step === report.best?.step ? "best" : undefined, text: isTest(stop) ? word("test") : figure(step, "count") });
    mark.style.left = `calc(8px + (100% - 16px) * ${stop / last})`;
    return mark;
  });
  return element("div", { class: "slider" }, element("label", { for: "grid-stop", text: word("overTraining") }), input, element("div", { class: "stops", "aria-hidden": "true" }, ...marks));
}

function exampleChooser(react) {
  if (!canShow) return null;
  const entries = past.examples.map(({ source, id }, number) => [number, `${number + 1}: ${source.slice(0, 40) || id}`]);
  const made = chooser(word("pastExample"), entries, (value) => { now.example = Number(value); react(); $("grid-example").focus(); });
  Object.assign(made.querySelector("select"), { id: "grid-example", value: now.example });
  return made;
}

/** What the stop is, and what the pictures are. */
function drawNow(measure) {
  const said = [isTest(now.stop) ? word("pastTest", { step: report.best?.step ?? "-" }) : word("pastValid", { step: figure(STOPS[now.stop], "count"), split: splitName(report.validated) })];
  if (!isTest(now.stop) && !loggedMeasures().includes(measure)) said.push(word("pastNotLogged", { measure: name(measure), measures: loggedMeasures().map(name).join(", ") }));
  $("grid-now").textContent = said.join(" ");
  if (!canShow) return;
  const { source, target, maps } = past.examples[now.example];
  const isLong = maps.some(({ shape }) => Math.max(shape[2], shape[3]) >= past.max_side);
  $("grid-pictures").textContent = word("pastPictures", { step: figure(past.steps[evaluationAt(now.stop)], "count") }) + (report.is_written ? word("pastGiven") : "") + (isLong ? word("pastBlocks", { side: past.max_side }) : "");
  $("grid-texts").textContent = [source, target].filter(Boolean).join("  \u2192  ");
}

function picturesPart() {
  if (!canShow) return null;
  const ramp = element("canvas", { class: "ramp", "aria-hidden": "true" });
  return element("div", { class: "pictures" }, element("p", { class: "hint", id: "grid-pictures" }), element("p", { class: "hint", id: "grid-texts", dir: "auto" }), element("p", { class: "hint scale" }, "0 ", ramp, element("span", { id: "grid-largest" })));
}

/** A table of how many heads did what at evaluations of the training; null where that was not logged. */
function countsPart() {
  const { steps, counts } = past.kinds, kinds = Object.entries(counts);
  if (!kinds.length) return null;
  const head = element("tr", {}, element("th", { scope: "col", text: word("step") }), ...steps.map((step) => element("th", { scope: "col", text: figure(step, "count") })));
  const rows = kinds.map(([kind, numbers]) => element("tr", {}, element("th", { scope: "row", text: kind }), ...numbers.map((number) => element("td", { text: number ? figure(number, "count") : "" }))));
  return element("div", { id: "grid-kinds" }, element("h3", { text: word("countsPart") }), element("p", { class: "hint", text: word("countsHint") }), tableOf("countsPart", element("thead", {}, head), element("tbody", {}, ...rows)));
}

/** Unpacks the maps of the example, then paints those of the stop, all on one scale. */
async function paintPast(cells) {
  if (!canShow) return;
  const { example } = now, { maps } = past.examples[example];
  await Promise.all(maps.map(decode));
  if (example !== now.example) return;  // another was chosen meanwhile
  const largest = Math.max(...maps.map((map) => map.largest));
  packColors();
  for (const { attention, head, canvas } of cells) {
    const map = pictureOf(attention);
    if (!canvas || !map) continue;
    const [, heads, rows, columns] = map.shape, start = (evaluationAt(now.stop) * heads + head) * rows * columns;
    paint(canvas, map.values.subarray(start, start + rows * columns), rows, columns, (weight) => weight / (largest || 1));
  }
  const ramp = document.querySelector("#grid .ramp");
  if (ramp) paint(ramp, Float32Array.from({ length: 96 }, (_, i) => i / 95), 1, 96, (share) => share);
  $("grid-largest").textContent = ` ${figure(largest)}`;
}

function pictureCanvas(attention, head, numHeads) {
  const map = pictureOf(attention);
  if (!map || head >= map.shape[1]) return null;
  const [, , rows, columns] = map.shape, side = SIDES.find(([most]) => numHeads <= most)?.[1] ?? 56;
  const canvas = element("canvas", { class: "picture", "aria-hidden": "true" });
  canvas.style.width = `${side}px`;
  canvas.style.height = `${Math.min(2 * side, Math.max(12, (side * rows) / columns))}px`;
  return canvas;
}
