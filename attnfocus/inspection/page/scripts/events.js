// Mouse, keyboard, print and the address.

function tip(text, x, y) {
  const box = $("tip");
  box.hidden = !text;
  if (!text) return;
  box.textContent = text;
  box.style.left = `${Math.max(4, Math.min(x + 14, innerWidth - box.offsetWidth - 8))}px`;
  box.style.top = `${y + 20 + box.offsetHeight > innerHeight ? y - box.offsetHeight - 10 : y + 18}px`;
}

function leave() {
  tip("");
  if (!view) return;
  drawMarks();
  $("readout").textContent = state.key >= 0 ? sentence(state.query, state.key) : "";
}

function tokenKeys(side, number) {
  return (event) => {
    const across = acrossOf(side === "query" ? "queries" : "keys");
    const move = { ArrowLeft: -1, ArrowUp: -across, ArrowRight: 1, ArrowDown: across }[event.key];
    if (event.key === "Escape") Object.assign(state, { query: -1, key: -1 });
    else if (event.key === "Home") state[side] = 0;
    else if (event.key === "End") state[side] = number() - 1;
    else if (!move) return;
    else state[side] = state[side] < 0 ? 0 : within(state[side] + move, number());
    event.preventDefault();
    point();
    $(side === "query" ? "queries" : "keys").querySelector(".chosen")?.scrollIntoView({ block: "nearest" });
    if (side === "query" && state.query >= 0 && state.key < 0) $("readout").textContent = word("isChosen", { token: label(view.queries[state.query]) });
  };
}

function placeOf(event) {
  const span = event.target.closest("span[data-place]");
  return span ? Number(span.dataset.place) : -1;
}

function listenToControls() {
  const chosen = (id) => Number($(id).value);
  $("example").addEventListener("change", () => choose({ example: chosen("example") }));
  $("search").addEventListener("input", () => {
    const found = matches().map(([number]) => number);
    if (found.length && !found.includes(state.example)) choose({ example: found[0] });
    else drawControls();
  });
  $("method").addEventListener("change", () => {
    const maps = example().maps, first = example().first || 0, method = $("method").value;
    choose({ map: maps[first].method === method ? first : maps.findIndex((map) => map.method === method) });
  });
  $("attention").addEventListener("change", () => choose({ map: chosen("attention") }));
  $("head").addEventListener("change", () => choose({ head: chosen("head") }));
  $("minus").addEventListener("change", () => choose({ minus: $("minus").value }));
  $("scale").addEventListener("change", () => choose({ scale: $("scale").value }));
  $("words").addEventListener("change", () => choose({ words: $("words").checked }));
  $("measure").addEventListener("change", () => {
    state.measure = $("measure").value;
    drawGlance();
    markHere();
  });
  $("zoom").addEventListener("input", () => {
    state.cell = chosen("zoom");
    drawMatrix();
    drawMarks();
  });
  $("controls").addEventListener("submit", (event) => event.preventDefault());
  $("language").addEventListener("click", (event) => {
    if (!(event.target.value in WORDS)) return;
    Object.assign(state, { language: event.target.value, isTranslated: true });
    drawTitle();
    if (view) drawAll();
    else showNone();
  });
}

function listenToPictures() {
  $("map").addEventListener("mousemove", hoverMatrix);
  $("map").addEventListener("mouseleave", leave);
  $("map").addEventListener("click", (event) => {
    const at = cellAt(event);
    if (at) Object.assign(state, { query: at[0], key: at[1] });
    point();
  });
  $("map").addEventListener("keydown", matrixKey);
  let isWaiting = false;
  $("scroll").addEventListener("scroll", () => {
    if (isWaiting || !view || view.queries.length * view.keys.length <= MAX_WHOLE) return;
    isWaiting = true;
    requestAnimationFrame(() => {
      isWaiting = false;
      drawWindow();
    });
  });
  $("overview").addEventListener("click", jump);
  for (const id of ["heads", "glance", "focus"]) {
    $(id).addEventListener("click", (event) => {
      const button = event.target.closest("button");
      if (!button) return;
      const { map, head } = button.dataset, at = `[data-map="${map}"][data-head="${head}"]`;
      choose({ map: Number(map), head: Number(head) }, `#${id} button${at}`);
    });
  }
  rove($("heads"));
  rove($("focus"));
  rove($("glance"), () => Math.max(1, $("glance").querySelector("tr")?.querySelectorAll("button").length ?? 1));
}

function listenToText() {
  $("queries").addEventListener("keydown", tokenKeys("query", () => view.queries.length));
  $("keys").addEventListener("keydown", tokenKeys("key", () => view.keys.length));
  $("queries").addEventListener("click", (event) => {
    const query = placeOf(event);
    state.query = query === state.query ? -1 : query;
    point();
  });
  $("keys").addEventListener("click", (event) => {
    state.key = placeOf(event);
    point();
  });
  $("keys").addEventListener("mousemove", (event) => {
    const key = placeOf(event), text = key >= 0 ? sentence(state.query, key) : "";
    tip(text, event.clientX, event.clientY);
    if (text) $("readout").textContent = text;
  });
  $("keys").addEventListener("mouseleave", leave);
}

/** Paper is white: colors are those of the light page while it is printed. */
function recolor() {
  packColors();
  if (!view) return;
  drawGlance();
  drawTokens();
  drawLegend();
  drawMatrix();
  drawHeads();
  markHere();
  point();
}

function listen() {
  listenToControls();
  listenToPictures();
  listenToText();
  $("copy").addEventListener("click", () => whenWhole(() => copy(tableText())));
  $("link").addEventListener("click", () => copy(`${location.href.split("#")[0]}#${linkOf()}`));
  $("tsv").addEventListener("click", () => whenWhole(() => download(tableText(), "text/tab-separated-values", "tsv")));
  $("svg").addEventListener("click", () => whenWhole(() => download(svgText(), "image/svg+xml", "svg")));
  dark.addEventListener("change", recolor);
  print.addEventListener("change", recolor);
  for (const [event, isNow] of [["beforeprint", true], ["afterprint", false]])
    addEventListener(event, () => {
      isPrinting = isNow;
      recolor();
    });
  addEventListener("hashchange", () => {
    clearTimeout(linkTimer);  // the address that was typed is the newer one
    const asked = readLink();
    if (asked.language && asked.language !== state.language) state.language = asked.language;
    drawTitle();
    choose(asked);
  });
  new ResizeObserver(refit).observe($("matrix-part"));
}
