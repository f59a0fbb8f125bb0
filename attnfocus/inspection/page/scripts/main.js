// The page as it opens: its title, what is known of its trust, and the first example.

/** How far the weights explain the answers: what was found, or how that can be tested. */
function trustParts() {
  if (data.verdict) return [data.verdict[state.language] ?? data.verdict.en];
  if (data.run.checkpoint !== "best") return [word("untestedLast")];
  return [word("untested"), element("code", `attnfocus evaluate run=${data.run.run} faithfulness=true`)];
}

function drawTrust() {
  const figures = Object.entries(data.faithfulness);
  $("verdict").replaceChildren(...trustParts());
  $("faithfulness").parentElement.parentElement.hidden = !figures.length;
  $("faithfulness").replaceChildren(...figures.map(([measure, value]) => {
    const row = element("tr");
    row.append(element("td", name(measure.replace("faithfulness/", ""))), element("td", value === null ? "-" : figure(value)));
    return row;
  }));
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
