// Weights: unpacking, heads and their mean, differences, whole words. A view holds what is shown of one map.
// Q queries, K keys. A map of many weights is a sketch (means of blocks, the largest of each row) with tiles for details.

const HIGHEST = { u1: 255, i1: 127, u2: 65535, i2: 32767 };
const NO_TEXT = "\u2581";

/** The weights of {data, code, largest}: codes are square roots of shares of the largest. */
async function unpacked(coded) {
  const codes = await integers(coded), scale = coded.largest / HIGHEST[coded.code] ** 2, values = new Float32Array(codes.length);
  for (let i = 0; i < codes.length; i++) values[i] = codes[i] * Math.abs(codes[i]) * scale;
  return values;
}

/** Of a map with a sketch: it less that of the other run, which is a sketch of its own. Made once. */
function differenceOf(map) {
  map.apart ??= { ...map, ...map.difference, signed: true };
  return map.apart;
}

async function decode(map) {
  if (map.values || map.sketch?.values) return;
  if (!map.sketch) {
    map.values = await unpacked(map);
    delete map.data;
    return;
  }
  const { blocks, means, top, places, used } = map.sketch;
  const [values, rows, largest, indices, effective] = await Promise.all([unpacked(blocks), unpacked(means), unpacked(top), integers(places), unpacked(used)]);
  Object.assign(map.sketch, { values, rows, largest, indices, effective, tiles: new Map(), loading: new Map() });
}

/** The place of a head in a sketch, whose last is the mean. */
const sketchHead = (map, head) => (head >= 0 ? head : map.shape[0] > 1 ? map.shape[0] : 0);

/** The weights (Q x K) of one head, -1: of the mean. Not for a map with a sketch. */
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

const TWIN = "other";  // the same map and head of the other run or step

/** Maps and heads that can be taken away from what is shown: those of the same rows and columns. */
function comparable() {
  const { maps } = example(), shown = maps[state.map], number = maps.findIndex((map) => map.twin === state.map);
  const twin = number < 0 ? [] : [{ number, head: state.head, id: TWIN, text: word("twin", { name: data.minus }) }];
  if (shown.sketch) return twin;
  return twin.concat(maps.flatMap((map, number) => {
    const isAlike = !map.sketch && map.method === shown.method && map.queries === shown.queries && map.keys === shown.keys;
    if (!isAlike) return [];
    const heads = map.heads.length > 1 ? [-1, ...map.heads.keys()] : [-1];
    return heads.filter((head) => number !== state.map || head !== state.head).map((head) => ({ number, head, id: `${number}.${head}`, text: nameOf(map, head) }));
  }));
}

function nameOf(map, head) {
  const which = head >= 0 ? word("headNumber", { number: map.heads[head] }) : map.heads.length > 1 ? word("meanOf", { number: map.heads.length }) : "";
  return [map.label || methodName(map.method), which].filter(Boolean).join(", ");
}

/** Tokens as words: labels, and for each token the number of its word; null where tokens are no parts of words. */
function wordsOf(tokens) {
  if (!tokens.some((token) => token.includes(NO_TEXT) || token.startsWith("##"))) return null;
  const labels = [], numbers = [];
  tokens.forEach((token, place) => {
    const isPart = place > 0 && token !== "" && !token.startsWith(NO_TEXT) && !isSpecial(token) && !isSpecial(tokens[place - 1]) && tokens[place - 1] !== NO_TEXT;
    if (isPart) labels[labels.length - 1] += token.replace(/^##/, "");
    else labels.push(token);
    numbers.push(labels.length - 1);
  });
  return labels.length < tokens.length ? { labels, numbers } : null;
}

/** Weights of words: over the keys they are added, over the queries the mean is taken. */
function merged(values, rows, columns, width) {
  const height = rows.labels.length, made = new Float32Array(height * columns.labels.length), counts = new Float32Array(height);
  for (const row of rows.numbers) counts[row] += 1;
  rows.numbers.forEach((row, q) => columns.numbers.forEach((column, k) => { made[row * columns.labels.length + column] += values[q * width + k] / counts[row]; }));
  return made;
}

const whole = (tokens) => ({ labels: tokens, numbers: tokens.map((_, place) => place) });
const largestOf = (values) => values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);

/** What is shown: see `drawAll`. Cells of `values` are null where the map has a sketch. */
function viewOf(chosen) {
  const { tokens } = example(), other = comparable().find(({ id }) => id === state.minus);
  const map = other && chosen.sketch ? differenceOf(chosen) : chosen, queries = tokens[map.queries], keys = tokens[map.keys];
  const rows = (state.words && !map.sketch && wordsOf(queries)) || whole(queries), columns = (state.words && !map.sketch && wordsOf(keys)) || whole(keys);
  const isMerged = rows.labels.length < queries.length || columns.labels.length < keys.length;
  const fit = (values) => (isMerged ? merged(values, rows, columns, keys.length) : values);
  const every = map.heads.length > 1 ? [...map.heads.keys()] : [-1];
  const minus = (head, taken) => {
    const away = fit(ofHead(example().maps[other.number], taken));
    return fit(ofHead(map, head)).map((value, i) => value - away[i]);
  };
  const headValues = other?.id === TWIN ? (head) => minus(head, head) : (head) => fit(ofHead(map, head));
  const values = map.sketch ? null : other ? minus(state.head, other.head) : fit(ofHead(map, state.head));
  let { largest } = map;
  if (other && other.id !== TWIN) largest = largestOf(values);
  else if (values && (other || isMerged)) largest = Math.max(...every.map((head) => largestOf(headValues(head))));
  const isSigned = Boolean(other) || map.signed;
  return { map, values, queries: rows.labels, keys: columns.labels, rows, columns, headValues, largest, other, isSigned, isAttention: map.method === "attention" && !isSigned };
}

/** Weights over the keys: of one query, or the mean over all. */
function rowOf(query) {
  const { values, queries, keys, map } = view, width = keys.length;
  if (map.sketch) return sketchRow(map, query);
  if (query >= 0) return values.subarray(query * width, (query + 1) * width);
  if (view.mean) return view.mean;
  view.mean = new Float32Array(width);
  for (let q = 0; q < queries.length; q++) for (let k = 0; k < width; k++) view.mean[k] += values[q * width + k] / queries.length;
  return view.mean;
}

/** Effective positions and normalized entropy, of one query or the means over all that look anywhere. */
function spreadOf(query) {
  const { queries, keys, map } = view;
  if (map.sketch) return sketchSpread(map, query);
  let used = 0, entropies = 0, count = 0;
  for (let q = query < 0 ? 0 : query; q < (query < 0 ? queries.length : query + 1); q++) {
    const row = rowOf(q), total = row.reduce((sum, value) => sum + Math.abs(value), 0);
    if (!total) continue;
    let entropy = 0;
    for (const value of row) if (value) entropy -= (Math.abs(value) / total) * Math.log(Math.abs(value) / total);
    used += Math.exp(entropy);
    entropies += keys.length > 1 ? entropy / Math.log(keys.length) : 0;
    count += 1;
  }
  return count ? [used / count, entropies / count] : null;
}
