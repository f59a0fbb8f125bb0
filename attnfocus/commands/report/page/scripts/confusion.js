// The matrix of classes. A cell opens its rows in the list of mistakes.

function drawConfusion() {
  const { confusion } = report;
  $("confusion").hidden = !confusion;
  if (!confusion) return;
  const { labels, matrix, rows } = confusion;
  const some = labels.length < confusion.of ? word("confusionSome", { number: labels.length, all: confusion.of }) : "";
  const head = element("tr", {}, element("th"), ...labels.map((text) => element("th", { scope: "col", title: text }, element("span", { text }))), element("th", { text: word("inRows") }));
  const body = element("tbody", {}, ...labels.map((target, row) => element(
    "tr", {}, element("th", { scope: "row", text: target, title: target }),
    ...labels.map((answer, column) => element("td", {}, cellOf(target, answer, matrix[row][column], rows[row], row === column))), element("td", { text: figure(rows[row], "count") }),
  )));
  const made = tableOf("confusionPart", element("thead", {}, head), body);
  made.classList.add("confusion", ...(labels.length > 8 ? ["dense"] : []));
  section("confusion", "confusionPart", element("p", { class: "hint", text: some + word("confusionHint") }), made);
  rove(body, () => labels.length);
  reach(body);
}

function cellOf(target, answer, count, all, isRight) {
  const button = element("button", { type: "button", class: isRight ? "cell right" : "cell", text: count ? String(count) : "\u00b7", "aria-label": word("cellLabel", { target, answer, count }), "aria-disabled": String(!count), on: { click: () => count && openCell(target, answer, count) } });
  shadeBy(button, all ? count / all : 0, "");
  return button;
}
