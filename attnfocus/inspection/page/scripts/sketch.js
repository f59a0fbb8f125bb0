// Maps of many weights: means of blocks and the largest of each row come first, tiles of details where they are seen.

const TILE = 256;

const tileKey = (head, down, across) => `${head}/${down}/${across}`;

/** A row's weights from one key to another: exact where a tile is at hand or among the row's largest, else the block's mean. */
function sketchCells(map, query, left, right) {
  const { sketch, shape: [, queries, keys] } = map, head = sketchHead(map, state.head), [down, across] = sketch.grid;
  const cells = new Float32Array(right - left), start = (head * queries + query) * sketch.count, end = start + sketch.count;
  const block = (head * down + Math.floor((query * down) / queries)) * across;
  const most = sketch.largest.subarray(start, end).reduce((least, value) => Math.min(least, Math.abs(value)), Infinity);  // the others have no more
  for (let k = left; k < right; k++) cells[k - left] = Math.max(-most, Math.min(most, sketch.values[block + Math.floor((k * across) / keys)]));
  for (let number = Math.floor(left / TILE); number * TILE < right; number++) {
    const tile = sketch.tiles.get(tileKey(head, Math.floor(query / TILE), number)), first = number * TILE, width = Math.min(TILE, keys - first);
    const from = Math.max(left, first), row = (query % TILE) * width - first;
    if (tile) cells.set(tile.subarray(row + from, row + Math.min(right, first + width)), from - left);
  }
  for (let i = start; i < end; i++) if (sketch.indices[i] >= left && sketch.indices[i] < right) cells[sketch.indices[i] - left] = sketch.largest[i];
  return cells;
}

/** The row of a query, -1: the mean of all. */
function sketchRow(map, query) {
  const keys = map.shape[2], head = sketchHead(map, state.head);
  return query < 0 ? map.sketch.rows.subarray(head * keys, (head + 1) * keys) : sketchCells(map, query, 0, keys);
}

/** As `spreadOf`; what is known of a row does not wait for its tiles. */
function sketchSpread(map, query) {
  const [, queries, keys] = map.shape, head = sketchHead(map, state.head);
  if (query < 0) return map.sketch.spread[head];
  const used = map.sketch.effective[head * queries + query];
  return used ? [used, Math.log(Math.max(used, 1)) / Math.log(keys)] : null;
}

/** Unpacks what a window of cells needs, each tile once; true if there was anything to wait for. */
async function loadTiles(map, [top, bottom], [left, right]) {
  const { details, tiles, loading } = map.sketch, head = sketchHead(map, state.head), missing = [];
  if (!details) return false;
  for (let q = Math.floor(top / TILE); q * TILE < bottom; q++)
    for (let k = Math.floor(left / TILE); k * TILE < right; k++) {
      const key = tileKey(head, q, k), coded = details[head]?.[q]?.[k];
      if (!coded || tiles.has(key)) continue;
      if (!loading.has(key)) loading.set(key, unpacked(coded).then((values) => tiles.set(key, values)).finally(() => loading.delete(key)));
      missing.push(loading.get(key));
    }
  await Promise.all(missing);
  return missing.length > 0;
}

/** The window of cells that is on the screen, with a margin: [from, to) of rows and columns. */
function windowOf(cell) {
  const rows = view.queries.length, columns = view.keys.length, box = $("scroll");
  if (rows * columns <= MAX_WHOLE) return [[0, rows], [0, columns]];
  const part = (start, size, number) => [Math.max(0, Math.floor(start / cell) - 16), Math.min(number, Math.ceil((start + size) / cell) + 16)];
  return [part(box.scrollTop, box.clientHeight, rows), part(box.scrollLeft, box.clientWidth, columns)];
}

function drawOverview() {
  const { map } = view;
  $("overview-part").hidden = !map.sketch;
  if (!map.sketch) return;
  const [down, across] = map.sketch.grid, size = down * across, head = sketchHead(map, state.head);
  paint($("overview"), map.sketch.values.subarray(head * size, (head + 1) * size), down, across);
  $("sketch-note").textContent = map.sketch.details ? word("overview") : word("sketch", { number: map.sketch.count });
}

function jump(event) {
  const box = $("overview").getBoundingClientRect(), cell = cellSize(), scroll = $("scroll");
  scroll.scrollTop = ((event.clientY - box.top) / box.height) * view.queries.length * cell - scroll.clientHeight / 2;
  scroll.scrollLeft = ((event.clientX - box.left) / box.width) * view.keys.length * cell - scroll.clientWidth / 2;
}
