// What leaves the page: a link to what is shown, its numbers as a table, its picture as SVG.

const SVG_NAME = ["http:", "", "www.w3.org", "2000", "svg"].join("/");  // a name: nothing is asked of that address

/** The state as it stands behind the # of the address; numbers count from 1, heads are those of the model. */
function linkOf() {
  const map = example().maps[state.map], parts = [["example", state.example + 1]];
  if (map) parts.push(["method", map.method], ["attention", map.name], ["head", state.head >= 0 ? map.heads[state.head] : ""]);
  parts.push(["minus", state.minus || (data.minus ? "none" : "")], ["scale", state.scale], ["words", state.words ? 1 : ""], ["query", state.query + 1 || ""], ["key", state.key + 1 || ""]);
  if (state.isTranslated) parts.push(["lang", state.language]);
  return parts.filter(([, value]) => value !== "").map(([key, value]) => `${key}=${encodeURIComponent(value)}`).join("&");
}

const LINK_WAIT = 150;  // milliseconds without a change after which the address follows: browsers allow few changes at once
let linkTimer = 0;

function writeLink() {
  clearTimeout(linkTimer);
  linkTimer = setTimeout(() => {
    try {
      history.replaceState(null, "", `#${linkOf()}`);
    } catch { /* a frame without an address of its own (a notebook's) */ }
  }, LINK_WAIT);
}

/** What the address asks for; what there is not is left out. */
function readLink() {
  const given = new URLSearchParams(location.hash.slice(1)), change = {};
  const number = (key, count) => (/^\d+$/.test(given.get(key) ?? "") && Number(given.get(key)) >= 1 && Number(given.get(key)) <= count ? Number(given.get(key)) - 1 : undefined);
  const chosen = number("example", data.examples.length);
  change.example = chosen ?? 0;
  const { maps, tokens } = data.examples[change.example];
  const isSame = (map, key, value) => !given.has(key) || given.get(key) === value;
  const found = maps.findIndex((map) => isSame(map, "method", map.method) && isSame(map, "attention", map.name));
  if (found >= 0 && (given.has("method") || given.has("attention"))) change.map = found;
  const map = maps[change.map ?? data.examples[change.example].first ?? 0];
  if (!map) return change;
  if (given.has("head")) change.head = map.heads.length > 1 ? map.heads.indexOf(Number(given.get("head"))) : -1;
  for (const [key, axis] of [["query", map.queries], ["key", map.keys]]) change[key] = number(key, tokens[axis].length) ?? -1;
  change.scale = ["one", "largest", "uniform"].includes(given.get("scale")) ? given.get("scale") : "";
  change.minus = given.get("minus") ?? (data.minus ? TWIN : "");
  change.words = given.get("words") === "1";
  if (given.get("lang") in WORDS) Object.assign(change, { language: given.get("lang"), isTranslated: true });
  return change;
}

/** A text that a spreadsheet does not take for a formula, in one cell. */
function harmless(text) {
  const plain = text.replace(/[\t\r\n]+/g, " ");
  return /^[=+\-@]/.test(plain) && Number.isNaN(Number(plain)) ? `'${plain}` : plain;
}

/** The rows that are shown: the chosen one, else all; of a map of many weights the mean. */
function rowsShown() {
  if (state.query >= 0) return [[view.queries[state.query], rowOf(state.query)]];
  if (view.map.sketch) return [[word("allRows"), rowOf(-1)]];
  return view.queries.map((token, query) => [token, rowOf(query)]);
}

/** Acts when the weights of the row that is shown are at hand. */
async function whenWhole(act) {
  if (view.map.sketch && state.query >= 0) await loadTiles(view.map, [state.query, state.query + 1], [0, view.keys.length]);
  return act();
}

function tableText() {
  const rows = rowsShown().map(([token, row]) => [harmless(label(token)), ...Array.from(row, (value) => Number(value.toPrecision(5)))]);
  return [["", ...view.keys.map((token) => harmless(label(token)))], ...rows].map((row) => row.join("\t")).join("\n") + "\n";
}

const escaped = (text) => text.replace(/[&<>"']/g, (char) => `&#${char.charCodeAt(0)};`).replace(/[\u0000-\u0008\u000b-\u001f\ufffe\uffff]|[\ud800-\udfff](?![\udc00-\udfff])/gu, "\ufffd");

/** The matrix as SVG, with its labels, its legend and in words what it is. */
function svgText() {
  const rows = rowsShown(), cell = 16, left = 20 + 7 * Math.max(...rows.map(([token]) => Math.min(24, cellsOf(label(token))))), top = 46;
  const below = top + rows.length * cell, width = Math.max(left + view.keys.length * cell + 20, 560);
  const longest = Math.max(...view.keys.map((token) => Math.min(24, cellsOf(label(token))))), height = below + 7 * longest + 30;
  const cut = (token) => ([...label(token)].length > 24 ? `${[...label(token)].slice(0, 23).join("")}\u2026` : label(token));
  const rgb = (weight) => `rgb(${colorOf(shareOf(weight)).join(",")})`, parts = [];
  rows.forEach(([token, row], q) => {
    parts.push(`<text x="${left - 6}" y="${top + q * cell + 12}" text-anchor="end">${escaped(cut(token))}</text>`);
    row.forEach((value, k) => parts.push(`<rect x="${left + k * cell}" y="${top + q * cell}" width="${cell}" height="${cell}" fill="${rgb(value)}"><title>${escaped(figure(value))}</title></rect>`));
  });
  view.keys.forEach((token, k) => parts.push(`<text transform="translate(${left + k * cell + 11},${below + 6}) rotate(90)">${escaped(cut(token))}</text>`));
  const { at, ends } = legendOf();
  for (let i = 0; i < 60; i++) parts.push(`<rect x="${left + 40 + 2 * i}" y="26" width="2" height="10" fill="${rgb(at(i / 59))}"/>`);
  parts.push(`<text x="${left + 36}" y="35" text-anchor="end">${escaped(ends[0])}</text><text x="${left + 164}" y="35">${escaped(ends[1])}</text>`);
  const back = getComputedStyle(document.body).backgroundColor, ink = getComputedStyle(document.body).color;
  return `<svg xmlns="${SVG_NAME}" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="12" fill="${ink}">` +
    `<rect width="100%" height="100%" fill="${back}"/><text x="8" y="17">${escaped($("shown").textContent)}</text>${parts.join("")}</svg>\n`;
}

function download(text, kind, ending) {
  const link = element("a"), map = view.map;
  link.href = URL.createObjectURL(new Blob([text], { type: `${kind};charset=utf-8` }));
  link.download = `${[state.example + 1, map.method, map.name, state.head >= 0 ? `head${map.heads[state.head]}` : ""].filter(Boolean).join("_").replace(/[^\w.-]+/g, "-")}.${ending}`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    $("copied").textContent = word("copied");
  } catch {
    $("copied").textContent = word("notCopied");
  }
}
