// Maps of many weights: means of blocks and the largest of each row come first, tiles of details where they are seen.

const TILE = 256;
const waiting = new Set();  // tiles that are being unpacked

function tileKey(map, query, key) {
  return `${sketchHead(map, state.head)}/${Math.floor(query / TILE)}/${Math.floor(key / TILE)}`;
}

/** The weight of a cell: exact where its tile is at hand or it is one of its row's largest, else the mean of its block. */
function sketchAt(map, query, key) {
  const { sketch, shape: [, queries, keys] } = map, tile = sketch.tiles.get(tileKey(map, query, key));
  if (tile) return tile[(query % TILE) * Math.min(TILE, keys - Math.floor(key / TILE) * TILE) + (key % TILE)];
  const [down, across] = sketch.grid;
  const row = Math.floor((query * down) / queries), column = Math.floor((key * across) / keys);
  return sketch.values[(sketchHead(map, state.head) * down + row) * across + column];
}

/** Unpacks what a window of cells needs; true if there was anything to unpack. */
async function loadTiles(map, [top, bottom], [left, right]) {
  if (!map.sketch.details) return false;
  const wanted = [];
  for (let q = Math.floor(top / TILE); q * TILE < bottom; q++)
    for (let k = Math.floor(left / TILE); k * TILE < right; k++) {
      const key = tileKey(map, q * TILE, k * TILE);
      if (!map.sketch.tiles.has(key) && !waiting.has(key)) wanted.push([key, map.sketch.details[sketchHead(map, state.head)]?.[q]?.[k]]);
    }
  const ready = wanted.filter(([, coded]) => coded);
  for (const [key] of ready) waiting.add(key);
  await Promise.all(ready.map(async ([key, coded]) => {
    map.sketch.tiles.set(key, await unpacked(coded));
    waiting.delete(key);
  }));
  return ready.length > 0;
}

function sketchRow(map, query) {
  const { sketch, shape: [, queries, keys] } = map, head = sketchHead(map, state.head);
  if (query < 0) return sketch.rows.subarray(head * keys, (head + 1) * keys);
  const row = new Float32Array(keys), count = sketch.count, start = (head * queries + query) * count;
  for (let i = 0; i < count; i++) row[sketch.indices[start + i]] = sketch.largest[start + i];
  for (let left = 0; left < keys; left += TILE) {
    const tile = sketch.tiles.get(tileKey(map, query, left)), width = Math.min(TILE, keys - left);
    if (tile) row.set(tile.subarray((query % TILE) * width, (query % TILE + 1) * width), left);
  }
  return row;
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
