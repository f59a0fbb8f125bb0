// The example in words: input, answer, probabilities; tokens as running text, shaded; what is read most.

const spans = (box) => box.querySelectorAll("span[data-place]");

/** A key's label, with its place where the token occurs more than once. */
function distinct(key) {
  const token = view.keys[key];
  return label(token) + (view.keys.indexOf(token) !== view.keys.lastIndexOf(token) ? ` (${key + 1})` : "");
}

function weightAt(query, key) {
  return rowOf(query)[key];
}

function sentence(query, key) {
  const from = query < 0 ? (view.queries.length > 1 ? word("allRows") : label(view.queries[0])) : label(view.queries[query]);
  return `${from} \u2190 ${distinct(key)}: ${figure(weightAt(query, key))}`;
}

function drawAnswer() {
  const { source, target, prediction, likelihood, note, verdict, classes } = example();
  const pairs = [["input", source, ""]];
  if (prediction !== undefined) pairs.push(["answer", prediction + (likelihood ? ` (${likelihood})` : ""), verdict || ""]);
  if (target) pairs.push(["inData", target, ""]);
  $("answer").replaceChildren(...pairs.flatMap(([term, text, mark]) => {
    const made = element("dd", text);
    made.dir = "auto";
    if (mark) made.append(" ", element("strong", word(mark), `mark ${mark}`));
    return [element("dt", word(term)), made];
  }));
  $("classes").hidden = !classes;
  $("classes").replaceChildren(...(classes || []).map(([text, share]) => {
    const item = element("li"), bar = element("div", "", "bar"), isTarget = text === target;
    bar.style.width = `${100 * share}%`;
    item.append(element("span", text + (isTarget ? " \u2713" : ""), "token"), element("div", "", "track"), element("span", figure(share), "figure"));
    item.children[1].append(bar);
    return item;
  }));
  $("note").hidden = !note;
  $("note").textContent = note || "";
}

/** Tokens as running text. Blanks before a token are not part of its shade. */
function runningText(box, tokens) {
  const marked = tokens.every((token) => [...token].length < 2) || tokens.some((token) => token.includes(NO_TEXT));
  const parts = [];
  tokens.forEach((token, place) => {
    let text = marked ? token.replaceAll(NO_TEXT, " ") : token;
    if (marked && text.startsWith(" ") && text.trim()) {
      if (place > 0) parts.push(" ");
      text = text.trimStart();
    } else if (!marked && place > 0) parts.push(" ");
    const made = element("span", text || "\u2205", isSpecial(token) ? "special" : "");
    made.dataset.place = place;
    parts.push(made);
  });
  box.replaceChildren(...parts);
}

function drawTokens() {
  drawAxis("queries");
  drawAxis("keys");
  const [ofQueries, ofKeys] = view.map.of ?? ["output", "input"];
  const isSelf = ofQueries === "input" && ofKeys === "input", isPatch = view.map.method.startsWith("patch_");
  const several = view.queries.length > 1;
  for (const id of ["queries", "queries-title", "queries-hint"]) $(id).hidden = !several;
  $("queries-title").textContent = word(isPatch ? "parts" : isSelf ? "queriesSelf" : "output");
  $("queries-hint").textContent = word("choose");
  $("keys-title").textContent = word(isPatch ? "patched" : ofKeys === "output" ? "keysOutput" : isSelf ? "keysSelf" : "input");
  $("matrix-hint").textContent = word("rows", { rows: word(isPatch ? "rowsPatched" : isSelf ? "rowsSelf" : "rowsOutput"), columns: word(isPatch ? "columnsPatched" : isSelf ? "columnsSelf" : "columnsRead") });
}

function drawShades() {
  const row = rowOf(state.query), marks = goldOfText();
  spans($("keys")).forEach((span, key) => {
    shade(span, row[key]);
    span.classList.toggle("chosen", key === state.key);
    for (const kind of GOLD_KINDS) span.classList.toggle(`gold-${kind}`, marks.get(key) === kind);
  });
  spans($("queries")).forEach((span, query) => span.classList.toggle("chosen", query === state.query));
  drawMost(row);
  drawSpread();
  drawGold();
}

/** How long a bar is: the weight's share of the scale's end; of "times uniform" 8 times uniform is full, or the largest. */
function lengthOfBar(weight) {
  const end = { one: 1, largest: view.largest || 1, uniform: Math.max(2 ** OCTAVES / view.keys.length, view.largest) }[scaleOf()];
  return Math.min(1, Math.abs(weight) / end);
}

function drawMost(row) {
  const order = [...row.keys()].sort((a, b) => Math.abs(row[b]) - Math.abs(row[a])).slice(0, 8);
  const what = word(view.other ? "differsMost" : view.map.method === "attention" ? "readMost" : "countsMost");
  $("most-title").textContent = state.query >= 0 ? word("forToken", { what, token: label(view.queries[state.query]) }) : what + ofRows();
  $("most").replaceChildren(...order.filter((key) => row[key] !== 0).map((key) => {
    const item = element("li"), track = element("div", "", "track"), bar = element("div", "", row[key] < 0 ? "bar below" : "bar");
    bar.style.width = `${100 * lengthOfBar(row[key])}%`;
    track.append(bar);
    if (view.isAttention) {
      const mark = element("i", "", "uniform");
      mark.style.left = `${100 * lengthOfBar(1 / view.keys.length)}%`;
      track.append(mark);
    }
    item.append(element("span", distinct(key), "token"), track, element("span", figure(row[key]), "figure"));
    return item;
  }));
}
