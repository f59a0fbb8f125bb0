// The top: what was trained, what came out, and whether the weights can be trusted.

const { report } = data;
const utc = (text) => (text ?? "").replace("T", " ").replace("+00:00", " UTC");
const section = (id, key, ...parts) => $(id).replaceChildren(element("h2", { text: word(key) }), ...parts.filter(Boolean));
const tableOf = (key, ...rows) => element("div", { class: "table wide", tabindex: "0", role: "region", "aria-label": word(key) }, element("table", {}, ...rows));
const cells = (kind, texts) => texts.map((text) => element(kind, { text }));
const splitName = (name) => (name in WORDS.en ? word(name) : name);

function drawHead() {
  const { run } = report, facts = word("ofRun", { ...run, parameters: figure(run.parameters, "count"), seconds: figure(run.seconds, "seconds"), started: utc(run.started) });
  $("facts").replaceChildren($("facts").textContent, element("br"), facts, element("br"), element("code", { text: run.command ?? "" }));
}

function hintOfMetrics() {
  const { best, run } = report, parts = [];
  if (best) parts.push(word("bestIs", { step: best.step, metric: name(best.metric), value: figure(best.value) }));
  if (report.is_written && run.beam > 1) parts.push(word("greedy", { beam: run.beam }));
  return word("metricsHint", { best: parts.join("") });
}

function drawMetrics() {
  const hasTest = report.metrics.some((metric) => metric.test !== null && metric.test !== undefined), { splits } = report;
  const head = element("tr", {}, ...cells("th", [word("metric"), word("onValid", { rows: figure(splits[report.validated], "count") }), ...(hasTest ? [word("onTest", { rows: figure(splits.test, "count") }), word("interval")] : [])]));
  const rows = report.metrics.flatMap((metric) => {
    const ends = metric.ends ? metric.ends.map((end) => figure(end)).join(" \u2013 ") : "";
    const own = [figure(metric.valid), ...(hasTest ? [figure(metric.test), ends] : [])];
    const simple = Object.entries(metric.baselines).map(([key, of]) => element("tr", { class: "simple" }, element("th", { scope: "row", text: word(key) }), ...cells("td", [figure(of[report.validated]), ...(hasTest ? [figure(of.test), ""] : [])])));
    return [element("tr", {}, element("th", { scope: "row", text: `${metric.name} ${ARROWS[metric.better] ?? ""}`.trim() }), ...cells("td", own)), ...simple];
  });
  section("metrics", "metricsPart", tableOf("metricsPart", element("thead", {}, head), element("tbody", {}, ...rows)), hasTest ? null : element("p", { text: word("noTest") }), element("p", { class: "hint", text: hintOfMetrics() }), element("h3", { text: word("trustPart") }), element("p", { class: "verdict" }, ...trustParts()));
}
