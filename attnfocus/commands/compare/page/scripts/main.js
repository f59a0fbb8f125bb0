// The page from its data. Another language draws it anew; what was chosen in it stays.

const remembered = new Map();
let redraws = {};  // what follows the colors, and what follows the width

/** The state of a part, as the reader left it. */
function remember(section, part, start) {
  const key = `${data.sections.indexOf(section)} ${part}`;
  if (!remembered.has(key)) remembered.set(key, start);
  return remembered.get(key);
}

function sectionPart(section, place) {
  return element(
    "section", { id: `section-${place}`, "aria-label": section.title },
    element("h2", { text: section.title }),
    runsTable(section),
    element("div", { class: "pair" }, curvesPart(section), forestPart(section)),
    examplePart(section),
  );
}

/** What the numbers are, and for how many comparisons p is corrected. */
function legendText() {
  const { differences, corrected, is_most: isMost } = data.legend;
  const text = corrected > 1 ? word(isMost ? "legendUpTo" : "legendCorrected", { number: corrected }) : "";
  return word("legend") + (differences ? word("legendDifferences", { corrected: text }) : "");
}

function drawPage() {
  redraws = { colors: [], width: [] };
  translate();
  const numRuns = data.sections.reduce((sum, section) => sum + section.rows.reduce((all, row) => all + row.seeds.length, 0), 0);
  const numRows = data.sections.reduce((sum, section) => sum + section.rows.length, 0);
  const title = word("title", { runs: word("runsCount", { number: numRuns }), configurations: word("configurationsCount", { number: numRows }) });
  document.title = word("tab", { title });
  $("title").textContent = title;
  $("origin").textContent = `${data.started.replace("T", " ").replace("+00:00", " UTC")}   ${data.command}`;
  $("legend").textContent = legendText();
  if (data.sections.length > 1) $("contents").replaceChildren(...data.sections.map((section, place) => element("a", { href: `#section-${place}`, text: section.title })));
  $("sections").replaceChildren(...data.sections.map(sectionPart));
  const left = Object.entries(data.left_out);
  $("left-out").hidden = !left.length;
  $("left-out").querySelector("ul").replaceChildren(...left.map(([path, reason]) => element("li", { lang: "en", text: `${path}: ${reason}` })));
}

drawPage();
$("language").addEventListener("click", (event) => {
  if (!(event.target.value in WORDS)) return;
  state.language = event.target.value;
  drawPage();
});
const redraw = (what) => redraws[what].forEach((draw) => draw());
addEventListener("resize", () => redraw("width"));
dark.addEventListener("change", () => redraw("colors"));
for (const [event, isNow] of [["beforeprint", true], ["afterprint", false]])
  addEventListener(event, () => {
    isPrinting = isNow;
    redraw("colors");
    redraw("width");
  });
