// Colors of weights: steps of the project's palette; the text on them is black or white, whichever has more contrast.

const FAINT = 0.04;  // of the scale: nothing is shaded below
const dark = matchMedia("(prefers-color-scheme: dark)");

const read = (text) => Array.from({ length: text.length / 6 }, (_, i) => [0, 2, 4].map((at) => parseInt(text.slice(6 * i + at, 6 * i + at + 2), 16)));
const RAMPS = Object.fromEntries(Object.entries(data.palette).map(([mode, sides]) => [mode, { above: read(sides.above), below: read(sides.below) }]));
let isPrinting = false;

function colorOf(share) {
  const ramp = RAMPS[dark.matches && !isPrinting ? "dark" : "light"];
  return (share < 0 ? ramp.below : ramp.above)[Math.round(Math.min(Math.abs(share), 1) * 255)];
}

function luminance(rgb) {
  const [red, green, blue] = rgb.map((value) => (value / 255 <= 0.04045 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4));
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

function shade(made, share) {
  const rgb = colorOf(share);
  made.dataset.level = Math.min(3, Math.floor(Math.abs(share) * 4));
  if (Math.abs(share) < FAINT) return;
  made.style.backgroundColor = `rgb(${rgb.join(", ")})`;
  made.style.color = (luminance(rgb) + 0.05) ** 2 >= 0.0525 ? "#000000" : "#ffffff";
}
