// The page from its data.

function sectionPart(section, place) {
  return element(
    "section", { id: `section-${place}`, "aria-label": section.title },
    element("h2", { text: section.title }),
    runsTable(section),
    element("div", { class: "pair" }, curvesPart(section), forestPart(section)),
    examplePart(section),
  );
}

function start() {
  const numRuns = data.sections.reduce((sum, section) => sum + section.rows.reduce((all, row) => all + row.seeds.length, 0), 0);
  const numRows = data.sections.reduce((sum, section) => sum + section.rows.length, 0);
  const title = `${numRuns} ${numRuns === 1 ? "run" : "runs"} of ${numRows} ${numRows === 1 ? "configuration" : "configurations"}`;
  document.title = `${title}: attnfocus compare`;
  $("title").textContent = title;
  $("origin").textContent = `${data.started.replace("T", " ").replace("+00:00", " UTC")}   ${data.command}`;
  $("legend").textContent = data.legend;
  if (data.sections.length > 1) $("contents").replaceChildren(...data.sections.map((section, place) => element("a", { href: `#section-${place}`, text: section.title })));
  $("sections").replaceChildren(...data.sections.map(sectionPart));
  const left = Object.entries(data.left_out);
  $("left-out").hidden = !left.length;
  $("left-out").querySelector("ul").replaceChildren(...left.map(([path, reason]) => element("li", { text: `${path}: ${reason}` })));
}

start();
