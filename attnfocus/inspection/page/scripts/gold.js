// What people know of an example: which words translate which, and which are the evidence for a label.

const GOLD_KINDS = ["agree", "missed", "extra"];

/** Cells "query,key" -> agree, missed or extra; of an output token with a known link its largest weight is compared. */
function goldLinks() {
  const { links } = example(), { map, rows, columns } = view;
  if (!links || map.gold !== "links" || view.other) return null;
  if (view.links) return view.links;
  const possible = new Map(), sure = new Set();
  for (const [output, input, isSure] of links) {
    const query = rows.numbers[output], key = columns.numbers[input];
    if (!possible.has(query)) possible.set(query, new Set());
    possible.get(query).add(key);
    if (isSure) sure.add(`${query},${key}`);
  }
  view.links = new Map();
  for (const [query, keys] of possible) {
    const row = rowOf(query), best = row.indexOf(row.reduce((most, value) => Math.max(most, value), -Infinity));
    if (row.some((value) => value !== 0)) view.links.set(`${query},${best}`, keys.has(best) ? "agree" : "extra");
  }
  for (const cell of sure) if (!view.links.has(cell)) view.links.set(cell, "missed");
  return view.links;
}

/** Keys -> agree, missed or extra: as many keys with most weight as people marked, against those that they marked. */
function goldRationale() {
  const { map, columns } = view, { rationale } = map;
  if (map.gold !== "rationale" || view.other) return null;
  const marked = new Set(rationale.map((key) => columns.numbers[key])), row = rowOf(state.query), kinds = new Map();
  const most = [...row.keys()].sort((a, b) => row[b] - row[a]).slice(0, marked.size);
  for (const key of most) kinds.set(key, marked.has(key) ? "agree" : "extra");
  for (const key of marked) if (!kinds.has(key)) kinds.set(key, "missed");
  return kinds;
}

/** Keys of the text -> agree, missed or extra; of links those of the chosen query. */
function goldOfText() {
  const links = goldLinks();
  if (!links) return goldRationale() || new Map();
  const own = [...links].filter(([cell]) => cell.startsWith(`${state.query},`));
  return new Map(own.map(([cell, kind]) => [Number(cell.split(",")[1]), kind]));
}

function drawGold() {
  const links = goldLinks(), kinds = links || goldRationale();
  $("gold").hidden = $("gold-key").hidden = !kinds;
  if (!kinds) return;
  const counts = { agree: 0, missed: 0, extra: 0 };
  for (const kind of kinds.values()) counts[kind] += 1;
  $("gold").textContent = word(links ? "goldLinks" : "goldRationale", { ...counts, number: counts.agree + counts.extra });
  $("gold-key").replaceChildren(...GOLD_KINDS.map((kind) => element("span", word(kind), `${links ? "ring" : "line"} gold-${kind}`)));
}

/** Rings around the cells of a window of the matrix. */
function drawRings(cell, [top, bottom], [left, right]) {
  const links = goldLinks() || new Map();
  $("rings").replaceChildren(...[...links].flatMap(([place, kind]) => {
    const [query, key] = place.split(",").map(Number);
    if (query < top || query >= bottom || key < left || key >= right) return [];
    const ring = element("i", undefined, `ring gold-${kind}`);
    ring.style.top = `${query * cell}px`;
    ring.style.left = `${key * cell}px`;
    ring.style.width = ring.style.height = `${cell}px`;
    return [ring];
  }));
}
