// Numbers as people read them: about four significant digits, as in the terminal.

const ARROWS = { max: "\u2191", min: "\u2193", "": "" };

function grouped(text) {
  const [whole, rest] = text.split(".");
  return whole.replace(/\B(?=(\d{3})+$)/g, ",") + (rest === undefined ? "" : `.${rest}`);
}

function figure(value, unit) {
  if (value === null || value === undefined || !Number.isFinite(value)) return "-";
  if (unit === "seconds") return duration(value);
  if (unit === "count") return grouped(String(Math.round(value)));
  const size = Math.abs(value);
  if (size !== 0 && (size < 0.001 || size >= 1e9)) return value.toExponential(2);
  return grouped(value.toFixed(size < 1 ? 4 : size < 10 ? 3 : size < 100 ? 2 : size < 1000 ? 1 : 0));
}

function duration(seconds) {
  const total = Math.round(seconds);
  for (const [size, unit, part, name] of [[86400, "d", 3600, "h"], [3600, "h", 60, "min"], [60, "min", 1, "s"]])
    if (total >= size) {
      const rest = Math.floor((total % size) / part);
      return `${Math.floor(total / size)} ${unit}${rest ? ` ${rest} ${name}` : ""}`;
    }
  return total || !seconds ? `${total} s` : "< 1 s";
}

const signed = (value) => (value === null ? "-" : (value < 0 ? "\u2212" : "+") + figure(Math.abs(value)));
const chance = (p) => (p === null || p === undefined ? "-" : p < 0.001 ? p.toExponential(1) : p.toFixed(3));
const present = (values) => values.filter((value) => value !== null && value !== undefined);
const meanOf = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;

/** Round ends and steps of an axis; accuracies stay between 0 and 1. */
function ticksOf(low, high, isShare) {
  if (low === high) [low, high] = [low - (Math.abs(low) * 0.1 || 0.1), high + (Math.abs(high) * 0.1 || 0.1)];
  if (isShare) [low, high] = [Math.max(low, 0), Math.min(high, 1)];
  const rough = (high - low) / 4 || 0.1, size = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].map((part) => part * size).find((each) => each >= rough * 0.999);
  const found = [];
  for (let at = Math.ceil(low / step - 1e-9) * step; at <= high + step * 1e-9; at += step) found.push(Math.abs(at) < step * 1e-9 ? 0 : at);
  return { low, high, found, text: (value) => String(Number(value.toPrecision(6))) };
}
