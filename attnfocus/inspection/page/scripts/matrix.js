// The matrix of queries (rows) and keys (columns): cells, labels, marks. Of a large one the window that is seen is drawn.

const MAX_LABEL = { column: 118, row: 112 };
const MAX_WHOLE = 90_000;  // cells of a matrix that is drawn as a whole
let partWidth = 0;  // pixels of #matrix-part, 0 where it is not known or hidden

function drawMatrix() {
  const shown = view.queries.length > 1;
  $("matrix-part").hidden = !shown;
  $("zoom").parentElement.hidden = !shown;
  if (!shown) return;
  const rows = view.queries.length, columns = view.keys.length, cell = cellSize();
  $("zoom").value = cell;
  $("map").setAttribute("aria-label", word("size", { rows, columns }));
  $("rows").style.width = $("corner").style.width = `${lengthOf(view.queries, MAX_LABEL.row)}px`;
  $("rows").style.height = $("picture").style.height = `${rows * cell}px`;
  $("columns").style.height = `${lengthOf(view.keys, MAX_LABEL.column)}px`;
  $("columns").style.width = $("picture").style.width = `${columns * cell}px`;
  drawOverview();
  drawWindow();
}

/** The cells and labels that are seen; details that are not at hand yet are drawn when they are. */
function drawWindow() {
  const cell = cellSize(), [down, across] = windowOf(cell), [top, bottom] = down, [left, right] = across, { map } = view;
  const height = bottom - top, width = right - left, isWhole = height === view.queries.length && width === view.keys.length;
  if (isWhole && view.values) paint($("map"), view.values, height, width);
  else paint($("map"), cellsOfWindow(down, across), height, width);
  Object.assign($("map").style, { width: `${width * cell}px`, height: `${height * cell}px`, top: `${top * cell}px`, left: `${left * cell}px` });
  const step = Math.max(1, Math.ceil(13 / cell));
  axis($("rows"), view.queries, down, step, (made, place) => { made.style.top = `${Math.max(-1, (place + 0.5) * cell - 8)}px`; });
  axis($("columns"), view.keys, across, step, (made, place) => {
    const cells = cellsOf(made.textContent);
    made.style.left = `${(place + 0.5) * cell - (cells > 2 ? 8 : 3.5 * cells)}px`;
    if (cells <= 2) made.classList.add("upright");
    else if (cells === [...made.textContent].length) made.classList.add("turned");  // wide letters stand one below the other
  });
  drawRings(cell, down, across);
  if (map.sketch) loadTiles(map, down, across).then((isNew) => isNew && view?.map === map && drawWindow());
}

function cellsOfWindow([top, bottom], [left, right]) {
  const { values, keys, map } = view, width = right - left, cells = new Float32Array((bottom - top) * width);
  for (let q = top; q < bottom; q++) for (let k = left; k < right; k++) cells[(q - top) * width + k - left] = values ? values[q * keys.length + k] : sketchAt(map, q, k);
  if (values) return cells;
  const { count, indices, largest } = map.sketch, head = sketchHead(map, state.head);
  for (let q = top; q < bottom; q++)
    for (let i = (head * view.queries.length + q) * count, end = i + count; i < end; i++)
      if (indices[i] >= left && indices[i] < right) cells[(q - top) * width + indices[i] - left] = largest[i];
  return cells;
}

/** Pixels of a cell. The width of the part is asked for once: to ask makes the browser lay out all that was just drawn. */
function cellSize() {
  if (state.cell) return state.cell;
  partWidth ||= $("matrix-part").clientWidth;
  view.rowLength ??= lengthOf(view.queries, MAX_LABEL.row);
  return Math.max(7, Math.min(26, Math.floor((partWidth - view.rowLength - 4) / view.keys.length)));
}

/** Draws the matrix again where its part has another width. */
function refit() {
  const before = partWidth;
  partWidth = $("matrix-part").clientWidth;
  if (!view || !partWidth || partWidth === before) return;
  drawMatrix();
  drawMarks();
}

const cellsOf = (text) => [...text].reduce((sum, char) => sum + (char.codePointAt(0) > 0x2e7f ? 2 : 1), 0);

/** Room for the labels of an axis, in pixels. */
function lengthOf(tokens, most) {
  const longest = tokens.reduce((cells, token) => Math.max(cells, cellsOf(label(token))), 0);
  return Math.min(Math.max(longest * 7.4, 14), most) + 12;
}

/** Labels of one axis from one place to another, as many as do not touch. */
function axis(box, tokens, [from, to], step, place) {
  const made = [];
  for (let number = Math.ceil(from / step) * step; number < to; number += step) {
    const text = element("span", label(tokens[number]));
    text.dataset.place = number;
    place(text, number);
    made.push(text);
  }
  box.replaceChildren(...made);
}

function drawMarks(query = state.query, key = state.key) {
  if (view.queries.length < 2) return;
  const cell = cellSize(), row = $("row-mark"), mark = $("cell-mark");
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

function cellAt(event) {
  const box = $("picture").getBoundingClientRect(), cell = cellSize();
  const query = Math.floor((event.clientY - box.top) / cell), key = Math.floor((event.clientX - box.left) / cell);
  return query >= 0 && key >= 0 && query < view.queries.length && key < view.keys.length ? [query, key] : null;
}

function hoverMatrix(event) {
  const at = cellAt(event);
  drawMarks(...(at || []));
  tip(at ? sentence(...at) : "", event.clientX, event.clientY);
  if (at) $("readout").textContent = sentence(...at);
}

const within = (place, number) => Math.max(0, Math.min(number - 1, place));

function matrixKey(event) {
  const moves = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }, move = moves[event.key];
  const start = state.query < 0 || state.key < 0;
  if (event.key === "Escape") Object.assign(state, { query: -1, key: -1 });
  else if (event.key === "Home") state.key = 0;
  else if (event.key === "End") state.key = view.keys.length - 1;
  else if (!move) return;
  else if (start) Object.assign(state, { query: Math.max(0, state.query), key: Math.max(0, state.key) });
  else Object.assign(state, { query: within(state.query + move[0], view.queries.length), key: within(state.key + move[1], view.keys.length) });
  event.preventDefault();
  if (event.key !== "Escape") state.query = Math.max(0, state.query);
  point();
  if (state.key >= 0) $("cell-mark").scrollIntoView({ block: "nearest", inline: "nearest" });
}
