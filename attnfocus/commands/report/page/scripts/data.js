// The data, the configuration, the machine.

function drawData() {
  const splits = Object.entries(report.data), sides = [...new Set(splits.flatMap(([, of]) => Object.keys(of.lengths)))];
  const share = (value) => (value === undefined ? "-" : `${(100 * value).toFixed(1)} %`);
  const lengths = ({ median, most, longest }) => word("lengths", { median: figure(median, "count"), most: figure(most, "count"), longest: figure(longest, "count") });
  const lines = [
    [word("rowsOf"), (of) => figure(of.rows, "count")],
    ...sides.map((side) => [word("lengthOfSide", { side: word(side), unit: report.unit }), (of) => (of.lengths[side] ? lengths(of.lengths[side]) : "-")]),
    ...sides.filter((side) => splits.some(([, of]) => side in of.unknown)).map((side) => [word("unknownOf", { side: word(side) }), (of) => share(of.unknown[side])]),
  ];
  const head = element("tr", {}, element("th"), ...splits.map(([split]) => element("th", { scope: "col", text: splitName(split) })));
  const rows = lines.map(([text, value]) => element("tr", {}, element("th", { scope: "row", text }), ...splits.map(([, of]) => element("td", { text: value(of) }))));
  section("data-part", "dataPart", tableOf("dataPart", element("thead", {}, head), element("tbody", {}, ...rows)), classesPart(splits, share));
}

function classesPart(splits, share) {
  const [, train] = splits.find(([split]) => split === "train") ?? splits[0];
  if (!train.classes.length) return null;
  const left = train.of_classes - train.classes.length;
  const items = train.classes.map(([label, count]) => {
    const bar = element("div", { class: "bar" });
    bar.style.width = `${(100 * count) / train.classes[0][1]}%`;
    return element("li", {}, element("span", { class: "token", text: label, title: label }), element("div", { class: "track" }, bar), element("span", { class: "figure", text: `${figure(count, "count")} (${share(count / train.rows)})` }));
  });
  return element("div", {}, element("h3", { text: `${word("classesOf")} (${word("train")})` }), element("ol", { class: "bars classes" }, ...items), left ? element("p", { class: "hint", text: word("moreClasses", { number: left }) }) : null);
}

function drawConfig() {
  $("config").hidden = !report.config.length;
  const head = element("tr", {}, ...cells("th", [word("key"), word("value"), word("byDefault")]));
  const rows = report.config.map(([key, value, usual]) => element("tr", {}, element("th", { scope: "row", text: key }), ...cells("td", [value, usual ?? word("noDefault")])));
  section("config", "configPart", tableOf("configPart", element("thead", {}, head), element("tbody", {}, ...rows)));
}

function drawMachine() {
  const { run } = report, versions = Object.entries(run.versions ?? {}).map((pair) => pair.join(" ")).join(", ");
  const pairs = [
    ["command", run.command], ["begun", utc(run.started)],
    ["times", word("timesText", { seconds: figure(run.seconds, "seconds"), steps: figure(run.steps, "count"), epochs: run.epochs, words: figure(run.words_per_second, "count") })],
    ["device", run.device], ["threads", String(run.threads.torch ?? "")], ["versions", versions],
    ["code", run.git ? `${run.git.commit.slice(0, 12)}${run.git.dirty ? word("dirty") : ""}` : ""], ["again", `attnfocus report run=${run.folder}`],
  ].filter(([, text]) => text);
  section("machine", "machinePart", element("dl", {}, ...pairs.flatMap(([key, text]) => [element("dt", { text: word(key) }), element("dd", { text })])));
}
