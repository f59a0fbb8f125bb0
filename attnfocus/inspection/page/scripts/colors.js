// Shades: the scale says what share of -1 to 1 a weight is, the palette what color that has.

const OCTAVES = 3;  // "times uniform" goes from 1/8 to 8
const BELOW_UNIFORM = 0.12;  // how far orange goes for what gets less than uniform: that is no alarm
const STEPS = 2 ** 11;  // of times uniform, each with its share: a picture of all heads takes half a million logarithms otherwise
const SHARES_OF_UNIFORM = Float32Array.from({ length: 2 ** OCTAVES * STEPS }, (_, i) => {
  const octaves = Math.log2((i + 0.5) / STEPS) / OCTAVES;
  return octaves > 0 ? octaves : BELOW_UNIFORM * Math.max(octaves, -1);
});
let packed = null;  // the colors from -1 to 1, as pixels

function packColors() {
  const { above, below } = rampsNow();
  packed = new Uint32Array(Uint8Array.from([...below.slice(1).reverse(), ...above].flatMap((rgb) => [...rgb, 255])).buffer);
}

/** The scale in use: weights of attention have the choice, what has a sign goes to its largest. */
function scaleOf() {
  if (!view.isAttention) return "largest";
  if (state.scale) return state.scale;
  return data.scale;
}

/** Weight -> share, for the scale in use. */
function sharer() {
  const scale = scaleOf(), { largest } = view, keys = view.keys.length;
  if (scale === "one") return (weight) => weight;
  if (scale === "largest") return (weight) => (largest > 0 ? weight / largest : 0);
  return (weight) => SHARES_OF_UNIFORM[Math.min(SHARES_OF_UNIFORM.length - 1, Math.floor(Math.max(0, weight * keys) * STEPS))];
}

const shareOf = (weight) => sharer()(weight);

function shadeBy(element, share, text) {
  const isPlain = Math.abs(share) < FAINT, color = colorOf(share);
  element.style.backgroundColor = isPlain ? "" : `rgb(${color.join(", ")})`;
  element.style.color = isPlain ? "" : inkOf(color);
  // For forced colors, which drop backgrounds: a border and the number.
  if (isPlain) delete element.dataset.level;
  else element.dataset.level = Math.ceil(Math.min(Math.abs(share), 1) * 4);
  if (isPlain || !text) delete element.dataset.figure;
  else element.dataset.figure = text;
}

const shade = (element, weight) => shadeBy(element, shareOf(weight), figure(weight));

/** Values as pixels; `share`: value -> -1 to 1. */
function paint(canvas, values, rows, columns, share = sharer()) {
  if (canvas.width !== columns) canvas.width = columns;  // to set it takes time even where it stays
  if (canvas.height !== rows) canvas.height = rows;
  const context = canvas.getContext("2d", { willReadFrequently: true }), image = context.createImageData(columns, rows);
  const pixels = new Uint32Array(image.data.buffer);
  for (let i = 0; i < pixels.length; i++) pixels[i] = packed[255 + Math.round(Math.max(-1, Math.min(1, share(values[i]))) * 255)];
  context.putImageData(image, 0, 0);
}

/** The ends of the legend: weights from left to right (of times uniform: octaves), and marks as [share of the way, text]. */
function legendOf() {
  const scale = scaleOf(), keys = view.keys.length, uniform = [1 / keys, word("uniformMark", { keys })];
  if (scale === "uniform") return { at: (part) => 2 ** ((2 * part - 1) * OCTAVES) / keys, ends: ["\u2264 \u00d7 1/8", "\u2265 \u00d7 8"], mark: [0.5, uniform[1]] };
  const end = scale === "one" ? 1 : view.largest, low = view.isSigned ? -end : 0;
  const mark = view.isAttention && end > 0 ? [Math.min(1, uniform[0] / end), uniform[1]] : view.isSigned ? [0.5, "0"] : [0, ""];
  return { at: (part) => low + (end - low) * part, ends: [short(low), short(end)], mark };
}

function drawLegend() {
  const { at, ends, mark } = legendOf(), scale = scaleOf();
  paint($("ramp"), Float32Array.from({ length: 96 }, (_, i) => at(i / 95)), 1, 96);
  [$("low").textContent, $("high").textContent] = ends;
  $("uniform").style.left = `${100 * mark[0]}%`;
  $("uniform-text").style.left = `${100 * mark[0]}%`;
  $("uniform-text").style.transform = `translateX(${-100 * mark[0]}%)`;
  $("uniform-text").textContent = mark[1];
  const values = view.other ? { first: nameOf(view.map, state.head), second: view.other.text } : { keys: view.keys.length };
  const key = view.other ? "legendMinus" : view.isSigned ? "legendSigned" : { one: "legendOne", largest: "legendLargest", uniform: "legendUniform" }[scale];
  $("legend-text").textContent = word(key, values);
}

const scaleName = (scale) => word({ one: "scaleOne", largest: "scaleLargest", uniform: "scaleUniform" }[scale]);

/** What is added to a text about the mean over several rows. */
const ofRows = () => (state.query < 0 && view.queries.length > 1 ? word("meanOfRows") : "");

function drawSpread() {
  const spread = view.isAttention && view.keys.length > 1 ? spreadOf(state.query) : null;
  $("spread").hidden = !spread;
  if (!spread) return;
  const [used, entropy] = spread, isNearly = entropy > data.nearly_uniform, all = view.keys.length;
  $("spread").classList.toggle("nearly", isNearly);
  $("spread").textContent = word(isNearly ? "nearly" : "spread", { used: used < 10 ? used.toFixed(1) : Math.round(used), all, entropy: entropy.toFixed(2), rows: ofRows() });
}
