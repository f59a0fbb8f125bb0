"use strict";
(() => {
  const $ = (id) => document.getElementById(id);
  const data = JSON.parse($("data").textContent);
  const state = { example: 0, map: 0, head: -1, query: -1, key: -1, brighten: false, cell: 0 };  // -1: all, or none
  const MAX_LABEL = { column: 118, row: 112 };
  const ARRAYS = { u1: Uint8Array, i1: Int8Array, u2: Uint16Array, i2: Int16Array };
  let view = null;  // { map, values (Q x K of the chosen head), queries, keys, largest, isSigned, isSequence }
  let turn = 0;  // what was asked for last: an older answer that comes later is dropped

  // ---- weights

  async function decode(map) {
    if (!map.values) {
      const packed = Uint8Array.from(atob(map.data), (char) => char.charCodeAt(0));
      const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
      const codes = new ARRAYS[map.code](await new Response(stream).arrayBuffer());
      const highest = { u1: 255, i1: 127, u2: 65535, i2: 32767 }[map.code];
      map.values = Float32Array.from(codes, (code) => Math.sign(code) * (code / highest) ** 2 * map.largest);
      delete map.data;
    }
    return map.values;
  }

  function ofHead(map, head) {
    const [heads, queries, keys] = map.shape;
    const size = queries * keys;
    if (head >= 0) return map.values.subarray(head * size, (head + 1) * size);
    if (heads === 1) return map.values;
    if (!map.mean) {
      map.mean = new Float32Array(size);
      for (let h = 0; h < heads; h++) for (let i = 0; i < size; i++) map.mean[i] += map.values[h * size + i] / heads;
    }
    return map.mean;
  }

  /** Weights over the keys: of one query, or the mean over all. */
  function rowOf(query) {
    const { values, queries, keys } = view, width = keys.length;
    if (query >= 0) return values.subarray(query * width, (query + 1) * width);
    const mean = new Float32Array(width);
    for (let q = 0; q < queries.length; q++) for (let k = 0; k < width; k++) mean[k] += values[q * width + k] / queries.length;
    return mean;
  }

  const largestOf = (values) => values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);

  // ---- colors: the page's background is 0, so that they suit light and dark

  const dark = matchMedia("(prefers-color-scheme: dark)");
  const STOPS = {
    light: { above: ["#ffffff", "#d3e5f3", "#7ab6dc", "#2a7ab9", "#08306b"], below: ["#ffffff", "#fee3c4", "#f6ab5c", "#c9650f", "#6b2f04"] },
    dark: { above: ["#0f1318", "#15375a", "#1f6fa8", "#4fb0ea", "#a9defd"], below: ["#0f1318", "#52300c", "#a45f14", "#e58e2f", "#ffb866"] },
  };
  let ramps = null;

  function makeRamps() {
    const stops = STOPS[dark.matches ? "dark" : "light"];
    ramps = { above: rampOf(stops.above), below: rampOf(stops.below) };
  }

  function rampOf(stops) {
    const colors = stops.map((hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16)));
    return Array.from({ length: 256 }, (_, i) => {
      const place = (i / 255) * (colors.length - 1), low = Math.min(Math.floor(place), colors.length - 2);
      return colors[low].map((from, c) => Math.round(from + (colors[low + 1][c] - from) * (place - low)));
    });
  }

  function colorOf(weight, largest) {
    let share = largest > 0 ? Math.min(Math.abs(weight) / largest, 1) : 0;
    if (state.brighten) share = Math.sqrt(share);
    return (weight < 0 ? ramps.below : ramps.above)[Math.round(share * 255)];
  }

  function shade(element, weight, largest) {
    const [red, green, blue] = colorOf(weight, largest);
    const share = largest > 0 ? Math.abs(weight) / largest : 0;
    const isPlain = (state.brighten ? Math.sqrt(share) : share) < 0.02;
    element.style.backgroundColor = isPlain ? "" : `rgb(${red}, ${green}, ${blue})`;
    element.style.color = isPlain ? "" : 0.299 * red + 0.587 * green + 0.114 * blue > 135 ? "#101418" : "#ffffff";
  }

  function paint(canvas, values, rows, columns, largest) {
    canvas.width = columns;
    canvas.height = rows;
    const context = canvas.getContext("2d"), image = context.createImageData(columns, rows), pixels = image.data;
    for (let i = 0; i < rows * columns; i++) {
      const color = colorOf(values[i], largest);
      pixels[4 * i] = color[0];
      pixels[4 * i + 1] = color[1];
      pixels[4 * i + 2] = color[2];
      pixels[4 * i + 3] = 255;
    }
    context.putImageData(image, 0, 0);
  }

  // ---- words

  const name = (text) => text.replaceAll("_", " ");
  /** A token without the blank before it; one of blanks alone shows them. */
  const label = (token) => (token === "" ? "\u2205" : (token.replace(/^\u2581+/, "") || token).replaceAll("\u2581", "\u2423"));
  const isSpecial = (token) => /^<[a-z/]+>$/.test(token);

  function figure(value) {
    const size = Math.abs(value);
    return size === 0 ? "0" : size < 0.0005 ? value.toExponential(1) : value.toFixed(size < 10 ? 3 : 1);
  }

  /** A key's label, with its place where the token occurs more than once. */
  function distinct(key) {
    const token = view.keys[key];
    return label(token) + (view.keys.indexOf(token) !== view.keys.lastIndexOf(token) ? ` (${key + 1})` : "");
  }

  function element(kind, text, classes) {
    const made = document.createElement(kind);
    if (text !== undefined) made.textContent = text;
    if (classes) made.className = classes;
    return made;
  }

  function sentence(query, key) {
    const weight = (query < 0 ? rowOf(-1)[key] : view.values[query * view.keys.length + key]);
    const from = query < 0 ? (view.queries.length > 1 ? "all rows, mean" : label(view.queries[0])) : label(view.queries[query]);
    return `${from} \u2190 ${distinct(key)}: ${figure(weight)}`;
  }

  // ---- drawing

  const example = () => data.examples[state.example];

  function options(select, entries, chosen) {
    select.replaceChildren(...entries.map(([value, text]) => {
      const made = element("option", text);
      made.value = value;
      return made;
    }));
    select.value = String(chosen);
    select.disabled = entries.length < 2;
  }

  function drawControls() {
    const maps = example().maps, map = maps[state.map];
    const methods = [...new Set(maps.map((each) => each.method))];
    options($("method"), methods.map((each) => [each, name(each)]), map ? map.method : "");
    const named = maps.map((each, number) => [number, each.name || "the whole model", each.method]);
    options($("attention"), named.filter(([, , method]) => map && method === map.method), state.map);
    const heads = map ? map.heads.map((number, place) => [place, `head ${number}`]) : [];
    options($("head"), heads.length > 1 ? [[-1, `mean of ${heads.length}`], ...heads] : heads.map(([, text]) => [-1, text]), state.head);
  }

  function drawAnswer() {
    const { source, target, prediction, likelihood, note } = example();
    const pairs = [["input", source]];
    if (prediction !== undefined) pairs.push(["answer", prediction + (likelihood ? ` (${likelihood})` : "")]);
    if (target) pairs.push(["in the data", target]);
    $("answer").replaceChildren(...pairs.flatMap(([term, text]) => {
      const made = element("dd", text);
      made.dir = "auto";
      return [element("dt", term), made];
    }));
    $("note").hidden = !note;
    $("note").textContent = note || "";
  }

  /** Tokens as running text. Blanks before a token are not part of its shade. */
  function runningText(box, tokens) {
    const marked = tokens.every((token) => [...token].length < 2) || tokens.some((token) => token.includes("\u2581"));
    const parts = [];
    tokens.forEach((token, place) => {
      let text = marked ? token.replaceAll("\u2581", " ") : token;
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

  const spans = (box) => box.querySelectorAll("span");

  function drawTokens() {
    runningText($("queries"), view.queries);
    runningText($("keys"), view.keys);
    const [ofQueries, ofKeys] = view.map.of ?? ["output", "input"];
    const isSelf = ofQueries === "input" && ofKeys === "input";
    const several = view.queries.length > 1;
    for (const id of ["queries", "queries-title", "queries-hint"]) $(id).hidden = !several;
    $("queries-title").textContent = isSelf ? "Positions that look" : "Output";
    $("queries-hint").textContent = "Choose one to see what it reads; Escape for all.";
    $("keys-title").textContent = ofKeys === "output" ? "Output so far" : isSelf ? "Positions looked at" : "Input";
    $("row-meaning").textContent = isSelf ? "positions that look" : "output";
    $("column-meaning").textContent = isSelf ? "positions looked at" : "what is read";
  }

  function drawShades() {
    const row = rowOf(state.query), largest = largestOf(row);
    spans($("keys")).forEach((span, key) => {
      shade(span, row[key], largest);
      span.classList.toggle("chosen", key === state.key);
    });
    spans($("queries")).forEach((span, query) => span.classList.toggle("chosen", query === state.query));
    drawScale(largest);
    drawMost(row, largest);
  }

  function drawScale(largest) {
    const low = view.isSigned ? -largest : 0, values = Float32Array.from({ length: 64 }, (_, i) => low + ((largest - low) * i) / 63);
    paint($("ramp"), values, 1, 64, largest);
    $("low").textContent = figure(low);
    $("high").textContent = figure(largest);
  }

  function drawMost(row, largest) {
    const order = [...row.keys()].sort((a, b) => Math.abs(row[b]) - Math.abs(row[a])).slice(0, 8);
    const what = view.map.method === "attention" ? "Read most" : "Counts most";
    $("most-title").textContent = state.query >= 0 ? `${what} for ${label(view.queries[state.query])}` : what;
    $("most").replaceChildren(...order.filter((key) => row[key] !== 0).map((key) => {
      const item = element("li"), bar = element("div", "", row[key] < 0 ? "bar below" : "bar");
      bar.style.width = `${(100 * Math.abs(row[key])) / (largest || 1)}%`;
      item.append(element("span", distinct(key), "token"), bar, element("span", figure(row[key]), "figure"));
      return item;
    }));
  }

  const columnsOf = () => view.keys.length;

  function drawMatrix() {
    const shown = view.queries.length > 1;
    $("matrix-part").hidden = !shown;
    $("zoom").parentElement.hidden = !shown;
    if (!shown) return;
    const rows = view.queries.length, columns = columnsOf(), cell = cellSize();
    $("zoom").value = cell;
    paint($("map"), view.values, rows, columns, view.largest);
    $("map").style.width = `${columns * cell}px`;
    $("map").style.height = `${rows * cell}px`;
    $("map").setAttribute("aria-label", `${rows} rows, ${columns} columns`);
    const step = Math.max(1, Math.ceil(13 / cell));
    axis($("rows"), view.queries, step, (made, place) => { made.style.top = `${Math.max(-1, (place + 0.5) * cell - 8)}px`; });
    axis($("columns"), view.keys, step, (made, place) => {
      const cells = cellsOf(made.textContent);
      made.style.left = `${(place + 0.5) * cell - (cells > 2 ? 8 : 3.5 * cells)}px`;
      if (cells <= 2) made.classList.add("upright");
      else if (cells === [...made.textContent].length) made.classList.add("turned");  // wide letters stand one below the other
    });
    $("rows").style.width = $("corner").style.width = `${lengthOf(view.queries, MAX_LABEL.row)}px`;
    $("rows").style.height = `${rows * cell}px`;
    $("columns").style.height = `${lengthOf(view.keys, MAX_LABEL.column)}px`;
    $("columns").style.width = `${columns * cell}px`;
  }

  function cellSize() {
    if (state.cell) return state.cell;
    const room = $("matrix-part").clientWidth - lengthOf(view.queries, MAX_LABEL.row) - 4;
    return Math.max(7, Math.min(26, Math.floor(room / columnsOf())));
  }

  const cellsOf = (text) => [...text].reduce((sum, char) => sum + (char.codePointAt(0) > 0x2e7f ? 2 : 1), 0);

  /** Room for the labels of an axis, in pixels. */
  function lengthOf(tokens, most) {
    const longest = tokens.reduce((cells, token) => Math.max(cells, cellsOf(label(token))), 0);
    return Math.min(Math.max(longest * 7.4, 14), most) + 12;
  }

  /** Labels of one axis, as many as do not touch. */
  function axis(box, tokens, step, place) {
    box.replaceChildren(...tokens.flatMap((token, number) => {
      if (number % step) return [];
      const made = element("span", label(token));
      made.dataset.place = number;
      place(made, number);
      return [made];
    }));
  }

  function drawMarks(query = state.query, key = state.key) {
    if (view.queries.length < 2) return;
    const cell = cellSize();
    const row = $("row-mark"), mark = $("cell-mark");
    row.hidden = query < 0;
    row.style.top = `${query * cell}px`;
    row.style.height = `${cell}px`;
    mark.hidden = query < 0 || key < 0;
    mark.style.top = `${query * cell}px`;
    mark.style.left = `${key * cell}px`;
    mark.style.width = mark.style.height = `${cell}px`;
    for (const [box, place] of [[$("rows"), query], [$("columns"), key]])
      for (const span of spans(box)) span.classList.toggle("here", Number(span.dataset.place) === place);
  }

  function drawHeads() {
    const { map } = view, [heads, queries, keys] = map.shape;
    $("heads-part").hidden = heads < 2;
    if (heads < 2) return;
    $("heads").replaceChildren(...[-1, ...map.heads.keys()].map((head) => {
      const button = element("button"), canvas = element("canvas", undefined, queries === 1 ? "flat" : "");
      const values = ofHead(map, head);
      paint(canvas, values, queries, keys, largestOf(values));
      canvas.setAttribute("aria-hidden", "true");
      button.type = "button";
      button.setAttribute("aria-pressed", String(head === state.head));
      button.append(canvas, head < 0 ? "mean" : `head ${map.heads[head]}`);
      button.addEventListener("click", () => choose({ head }, `#heads button:nth-child(${head + 2})`));
      return button;
    }));
  }

  function drawFocus() {
    const maps = example().maps.map((map, number) => [map, number]).filter(([map]) => map.focus.length);
    $("focus-part").hidden = !maps.length;
    if (!maps.length) return;
    const measures = [...new Set(maps.flatMap(([map]) => map.focus.flatMap(Object.keys)))];
    $("focus-head").replaceChildren(element("th", "attention"), ...measures.map((each) => element("th", name(each))));
    $("focus").replaceChildren(...maps.flatMap(([map, number]) => map.focus.map((figures, head) => {
      const row = element("tr"), first = element("td"), several = map.heads.length > 1;
      const button = element("button", several ? `${map.name}, head ${map.heads[head]}` : map.name);
      button.type = "button";
      button.addEventListener("click", () => choose({ map: number, head: several ? head : -1 }));
      first.append(button);
      row.append(first, ...measures.map((each) => element("td", each in figures ? figure(figures[each]) : "")));
      row.dataset.map = number;
      row.dataset.head = several ? head : -1;
      return row;
    })));
  }

  function markFocus() {
    for (const row of $("focus").children)
      row.classList.toggle("here", Number(row.dataset.map) === state.map && Number(row.dataset.head) === state.head);
  }

  function drawTrust() {
    const figures = Object.entries(data.faithfulness);
    const command = element("code", `attnfocus evaluate run=${data.run.run} faithfulness=true`);
    const untested = data.run.checkpoint === "best" ? ["Not tested for these weights. This does: ", command]
      : ["Not tested for these weights: only what was found of the best checkpoint is kept."];
    $("verdict").replaceChildren(...(data.verdict ? [data.verdict] : untested));
    $("faithfulness").parentElement.parentElement.hidden = !figures.length;
    $("faithfulness").replaceChildren(...figures.map(([measure, value]) => {
      const row = element("tr");
      row.append(element("td", name(measure.replace("faithfulness/", ""))), element("td", value === null ? "-" : figure(value)));
      return row;
    }));
  }

  // ---- choosing

  /** Changes what is shown; `focusAfter` names the element that is made anew and should keep the keyboard's focus. */
  async function choose(change, focusAfter) {
    const mine = ++turn, before = { ...state };
    Object.assign(state, change);
    const isNewExample = "example" in change, isNewMap = isNewExample || "map" in change;
    if (isNewExample) state.map = alike(data.examples[before.example].maps[before.map]);
    const map = example().maps[state.map];
    if (!map) return showNone();
    if (isNewMap && !("head" in change)) state.head = state.head < map.heads.length ? state.head : -1;
    if (map.heads.length < 2) state.head = -1;
    await decode(map);
    if (mine !== turn) return;
    const tokens = example().tokens, values = ofHead(map, state.head);
    view = { map, values, queries: tokens[map.queries], keys: tokens[map.keys], largest: largestOf(values), isSigned: map.code[0] === "i" };
    if (isNewMap || state.query >= view.queries.length || state.key >= view.keys.length) state.query = state.key = -1;
    for (const id of ["queries", "queries-title", "keys", "keys-title", "scale", "most-part"]) $(id).hidden = false;
    drawControls();
    if (isNewExample) {
      drawAnswer();
      drawFocus();
    }
    drawTokens();
    drawMatrix();
    drawHeads();
    markFocus();
    point();
    if (focusAfter) document.querySelector(focusAfter).focus();
  }

  /** The number of the map that shows the same of the example at hand, if there is one. */
  function alike(map) {
    const found = map ? example().maps.findIndex((each) => each.method === map.method && each.name === map.name) : -1;
    return found >= 0 && view ? found : example().first || 0;
  }

  function showNone() {
    view = null;
    drawControls();
    drawAnswer();
    for (const id of ["queries", "queries-title", "queries-hint", "keys", "keys-title", "scale", "matrix-part", "heads-part", "most-part", "focus-part"])
      $(id).hidden = true;
    $("readout").textContent = "";
  }

  /** The chosen query and key are drawn anew; everything else stays. */
  function point() {
    drawShades();
    drawMarks();
    const said = state.key >= 0 ? sentence(state.query, state.key) : "";
    $("readout").textContent = said;
  }

  function tip(text, x, y) {
    const box = $("tip");
    box.hidden = !text;
    if (!text) return;
    box.textContent = text;
    box.style.left = `${Math.max(4, Math.min(x + 14, innerWidth - box.offsetWidth - 8))}px`;
    box.style.top = `${y + 20 + box.offsetHeight > innerHeight ? y - box.offsetHeight - 10 : y + 18}px`;
  }

  function cellAt(event) {
    const box = $("map").getBoundingClientRect(), cell = cellSize();
    const query = Math.floor((event.clientY - box.top) / cell), key = Math.floor((event.clientX - box.left) / cell);
    return query >= 0 && key >= 0 && query < view.queries.length && key < view.keys.length ? [query, key] : null;
  }

  function hoverMatrix(event) {
    const at = cellAt(event);
    drawMarks(...(at || []));
    tip(at ? sentence(...at) : "", event.clientX, event.clientY);
    if (at) $("readout").textContent = sentence(...at);
  }

  function leave() {
    tip("");
    if (view) {
      drawMarks();
      $("readout").textContent = state.key >= 0 ? sentence(state.query, state.key) : "";
    }
  }

  const within = (place, number) => Math.max(0, Math.min(number - 1, place));

  function matrixKey(event) {
    const moves = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }, move = moves[event.key];
    const start = state.query < 0 || state.key < 0;
    if (event.key === "Escape") Object.assign(state, { query: -1, key: -1 });
    else if (event.key === "Home") state.key = 0;
    else if (event.key === "End") state.key = columnsOf() - 1;
    else if (!move) return;
    else if (start) Object.assign(state, { query: Math.max(0, state.query), key: Math.max(0, state.key) });
    else Object.assign(state, { query: within(state.query + move[0], view.queries.length), key: within(state.key + move[1], columnsOf()) });
    event.preventDefault();
    if (event.key !== "Escape") state.query = Math.max(0, state.query);
    point();
    if (state.key >= 0) $("cell-mark").scrollIntoView({ block: "nearest", inline: "nearest" });
  }

  function tokenKeys(side, number) {
    return (event) => {
      const move = { ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1 }[event.key];
      if (event.key === "Escape") Object.assign(state, { query: -1, key: -1 });
      else if (event.key === "Home") state[side] = 0;
      else if (event.key === "End") state[side] = number() - 1;
      else if (!move) return;
      else state[side] = state[side] < 0 ? 0 : within(state[side] + move, number());
      event.preventDefault();
      point();
      $(side === "query" ? "queries" : "keys").querySelector(".chosen")?.scrollIntoView({ block: "nearest" });
      if (side === "query" && state.query >= 0 && state.key < 0) $("readout").textContent = `${label(view.queries[state.query])} is chosen`;
    };
  }

  function placeOf(event) {
    const span = event.target.closest("span[data-place]");
    return span ? Number(span.dataset.place) : -1;
  }

  function listen() {
    const chosen = (id) => Number($(id).value);
    $("example").addEventListener("change", () => choose({ example: chosen("example") }));
    $("method").addEventListener("change", () => {
      const maps = example().maps, first = example().first || 0;
      const method = $("method").value;
      choose({ map: maps[first].method === method ? first : maps.findIndex((map) => map.method === method) });
    });
    $("attention").addEventListener("change", () => choose({ map: chosen("attention") }));
    $("head").addEventListener("change", () => choose({ head: chosen("head") }));
    $("brighten").addEventListener("change", () => choose({ brighten: $("brighten").checked }));
    $("zoom").addEventListener("input", () => {
      state.cell = chosen("zoom");
      drawMatrix();
      drawMarks();
    });
    $("controls").addEventListener("submit", (event) => event.preventDefault());
    $("map").addEventListener("mousemove", hoverMatrix);
    $("map").addEventListener("mouseleave", leave);
    $("map").addEventListener("click", (event) => {
      const at = cellAt(event);
      if (at) Object.assign(state, { query: at[0], key: at[1] });
      point();
    });
    $("map").addEventListener("keydown", matrixKey);
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
    dark.addEventListener("change", () => {
      makeRamps();
      choose({});
    });
    addEventListener("resize", () => {
      if (!view) return;
      drawMatrix();
      drawMarks();
    });
  }

  function start() {
    const { run } = data;
    document.title = `${run.model}, ${run.attention}, ${run.dataset}: where it looks`;
    $("title").textContent = `Where ${name(String(run.model))} looks`;
    $("facts").textContent = `attention ${run.attention}, data ${run.dataset}, ${run.checkpoint} checkpoint (step ${run.step}) of ${run.run}`;
    const shown = (text) => ([...text].length > 90 ? `${[...text].slice(0, 89).join("")}\u2026` : text);
    options($("example"), data.examples.map((each, number) => [number, `${number + 1}  ${shown(each.source)}`]), 0);
    makeRamps();
    drawTrust();
    if (!window.DecompressionStream) {
      showNone();
      $("note").hidden = false;
      $("note").textContent = "This browser is too old to unpack the weights. The same numbers are in inspect.json.";
      return undefined;
    }
    listen();
    return choose({ example: 0 });
  }

  window.attnfocus = { state, choose, ready: start() };
})();
