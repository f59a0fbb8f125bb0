// The page as it opens: its title, what is known of its trust, and the first example.

/** How far the weights explain the answers: what was found, or how that can be tested. */
function trustParts() {
  if (data.verdict) return [data.verdict[state.language] ?? data.verdict.en];
  if (data.run.checkpoint !== "best") return [word("untestedLast")];
  return [word("untested"), element("code", `attnfocus evaluate run=${data.run.run} faithfulness=true`)];
}

/** A line that names a group of numbers, and a row for each: what it is called, its value, interval, which way speaks for the weights, and what it is. */
function trustRows(group) {
  const inLanguage = (facts, key) => facts[state.language === "zh" ? `${key}_zh` : key], heading = element("th", inLanguage(group, "title"));
  heading.colSpan = 5;
  const rows = [element("tr")];
  rows[0].append(heading);
  for (const each of group.measures) {
    const [low, high] = each.interval ?? [], row = element("tr"), words = element("td", inLanguage(each, "words"), "said");
    row.append(element("td", name(each.name)), element("td", figure(each.value)), element("td", each.interval ? `[${low.toFixed(2)}, ${high.toFixed(2)}]` : ""), element("td", ARROWS[each.better]), words);
    rows.push(row);
  }
  return rows;
}

function drawTrust() {
  const hasNumbers = data.faithfulness.length > 0;
  $("verdict").replaceChildren(...trustParts());
  $("glossary").replaceChildren(...(data.glossary[state.language] ?? []).map((line) => element("li", line)));
  $("trust-hint").hidden = !hasNumbers;
  $("faithfulness").parentElement.parentElement.hidden = !hasNumbers;
  $("faithfulness").replaceChildren(...data.faithfulness.flatMap(trustRows));
}

function drawTitle() {
  const { run } = data, values = { ...run, model: name(String(run.model)) };
  document.title = word("tab", values);
  $("title").textContent = word("title", values);
  $("facts").textContent = word("facts", values) + (data.minus ? word("factsMinus", { name: data.minus }) : "") + (run.patched ? `: ${run.patched}` : "");
  translate();
  drawTrust();
}

function start() {
  Object.assign(state, { language: preferredLanguage() });
  const asked = readLink();
  Object.assign(state, { language: asked.language ?? state.language });
  drawTitle();
  packColors();
  if (!window.DecompressionStream) {
    showNone();
    $("note").hidden = false;
    $("note").textContent = word("old");
    return undefined;
  }
  listen();
  return choose(asked);
}

window.attnfocus = { state, choose, ready: start() };
