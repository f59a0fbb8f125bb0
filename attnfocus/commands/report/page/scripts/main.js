// The report around its examples: everything is drawn anew for another language, other colors, and another width.

const GROUPS = report.is_written ? { wrong: "groupDiffers", unsure: "groupUnsure", right: "groupSame", first: "groupFirst" } : { wrong: "groupWrong", unsure: "groupUnsure", right: "groupRight", first: "groupFirst" };
const LEFT_OUT = { time: "leftTime", failed: "leftFailed", room: "leftRoom" };

function drawGroups() {
  const { reason, ...numbers } = report.left_out, said = Object.entries(numbers).filter(([, number]) => number);
  $("samples-note").hidden = !said.length;
  $("samples-note").textContent = said.map(([why, number]) => word(LEFT_OUT[why], { number, reason, run: report.run.folder })).join(" ");
  $("groups").replaceChildren(...Object.entries(report.groups).map(([group, places]) => element(
    "div", { class: "group" }, element("span", { text: word(GROUPS[group]) }),
    ...places.map((place) => element("button", { type: "button", text: String(place + 1), title: data.examples[place].source, "data-example": place, on: { click: () => choose({ example: place }) } })),
  )));
  markGroup();
}

function markGroup() {
  for (const button of $("groups").querySelectorAll("button")) button.setAttribute("aria-pressed", String(Number(button.dataset.example) === state.example));
}

function drawReport() {
  drawTitle();
  drawHead();
  drawMetrics();
  drawCurves();
  drawGroups();
  drawConfusion();
  drawErrors();
  drawGrid();
  drawData();
  drawConfig();
  drawMachine();
}

drawReport();
$("language").addEventListener("click", drawReport);
addEventListener("hashchange", drawReport);
for (const event of ["beforeprint", "afterprint"]) addEventListener(event, () => { drawConfusion(); drawGrid(); });
dark.addEventListener("change", () => { drawConfusion(); drawGrid(); });
addEventListener("resize", drawCurves);
new MutationObserver(markGroup).observe($("shown"), { childList: true, characterData: true, subtree: true });
