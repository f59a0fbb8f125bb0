// The mistakes, the surest first; or the rows of a cell of the matrix.

const PAGE_ROWS = 12;
const browser = { cell: null, search: "", looked: "", shown: PAGE_ROWS };
const LOOKED = { read: ([, , isRead]) => isRead, elsewhere: ([, , isRead]) => !isRead };  // of rows whose evidence is known

function openCell(target, answer, count) {
  Object.assign(browser, { cell: { target, answer, count }, search: "", looked: "", shown: PAGE_ROWS });
  drawErrors();
  $("errors").scrollIntoView({ block: "start" });
  $("errors-back").focus({ preventScroll: true });
}

function foundRows() {
  const { cell, search, looked } = browser, wanted = search.trim().toLowerCase();
  const rows = report.answers.filter((row) => (cell ? row.target === cell.target && row.answer === cell.answer : !row.right)).filter((row) => !looked || (row.evidence && LOOKED[looked](row.evidence)));
  return rows.filter((row) => !wanted || [row.id, row.source, row.answer, row.target].some((text) => text.toLowerCase().includes(wanted))).sort((a, b) => (b.sure ?? -1) - (a.sure ?? -1));
}

function drawErrors() {
  const { counts } = report, { cell } = browser, listed = report.answers.filter((row) => !row.right).length, key = report.is_written ? "differencesPart" : "errorsPart";
  $("errors").hidden = !counts.all;
  if (!counts.all) return;
  const list = element("div", { class: "answers", id: "answers" });
  const all = word(report.is_written ? "differencesCount" : "errorsCount", { wrong: figure(counts.wrong, "count"), all: figure(counts.all, "count") }) + (counts.skipped ? word("unanswered", { number: counts.skipped }) : "") + (counts.is_whole ? "" : word("notWhole")) + (counts.wrong > listed ? word("listed", { number: listed }) : "");
  const said = cell ? word("cellShown", { ...cell, shown: foundRows().length }) : all;
  const search = element("input", { type: "search", id: "errors-search", autocomplete: "off", spellcheck: "false", on: { input: () => { Object.assign(browser, { search: search.value, shown: PAGE_ROWS }); drawRows(list); } } });
  search.value = browser.search;
  const back = element("button", { type: "button", id: "errors-back", text: word("back"), on: { click: () => { Object.assign(browser, { cell: null, shown: PAGE_ROWS }); drawErrors(); $("errors-search").focus(); } } });
  const tools = element("div", { class: "tools" }, element("label", {}, element("span", { text: word("searchErrors") }), search), evidenceChoice(list), element("span", { id: "errors-found", role: "status" }), cell ? back : null);
  section("errors", key, element("p", { class: "hint", text: said }), evidencePart(), tools, list);
  drawRows(list);
}

function drawRows(list) {
  const rows = foundRows(), shown = rows.slice(0, browser.shown);
  $("errors-found").textContent = word("ofAll", { number: rows.length, all: report.answers.filter((row) => !row.right).length });
  $("errors-found").hidden = !browser.search && !browser.looked;
  const more = element("button", { type: "button", id: "errors-more", text: word("more", { number: Math.min(PAGE_ROWS, rows.length - shown.length) }), on: { click: () => { browser.shown += PAGE_ROWS; drawRows(list); list.children[shown.length]?.querySelector("button")?.focus(); } } });
  list.replaceChildren(...shown.map(rowPart), ...(rows.length ? [] : [element("p", { text: word("noErrors") })]), ...(shown.length < rows.length ? [more] : []));
}

function rowPart(row) {
  const pairs = [["text", row.source], ["answered", row.answer], ["inTheData", row.target]].filter(([, text]) => text);
  const facts = [row.id];
  if (row.sure !== null) facts.push(`${word(report.is_written ? "perWord" : "sure")} ${figure(row.sure)}`);
  if (row.of_target !== null && !row.right) facts.push(`${word("sureOfTarget")} ${figure(row.of_target)}`);
  if (row.evidence) facts.push(`${word(row.evidence[2] ? "onEvidence" : "offEvidence")} ${figure(row.evidence[0])} (${word("ifUniform")} ${figure(row.evidence[1])})`);
  const look = row.example === null ? null : element("button", { type: "button", text: word("look"), on: { click: () => openExample(row.example) } });
  return element("article", {}, element("dl", {}, ...pairs.flatMap(([key, text]) => [element("dt", { text: word(key) }), element("dd", { text, dir: "auto" })])), element("p", { class: "hint" }, facts.join("   "), " ", look));
}

/** How many wrong answers looked at the evidence, and what that means. */
function evidencePart() {
  const { known, read, left } = report.evidence;
  if (!known) return null;
  const said = word("evidence", { known: figure(known, "count"), read: figure(read, "count"), elsewhere: figure(known - read, "count") });
  return element("p", { class: "hint", id: "errors-evidence" }, element("strong", { text: said }), ` ${word(report.is_written ? "evidenceOfOutputs" : "evidenceOfClasses")}${left ? ` ${word("leftTime", { number: left, run: report.run.folder })}` : ""}`);
}

function evidenceChoice(list) {
  const { known, read } = report.evidence;
  if (!known) return null;
  const counts = { "": "", read: ` (${read})`, elsewhere: ` (${known - read})` };
  const entries = Object.entries(counts).map(([value, count]) => [value, word(value ? `looked_${value}` : "looked") + count]);
  const label = chooser(word("lookedAt"), entries, (value) => { Object.assign(browser, { looked: value, shown: PAGE_ROWS }); drawRows(list); });
  Object.assign(label.querySelector("select"), { id: "errors-looked", value: browser.looked });
  return label;
}

async function openExample(example) {
  await choose({ example });
  $("samples").scrollIntoView({ block: "start" });
  $("example").focus({ preventScroll: true });
}
