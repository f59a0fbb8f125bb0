// Colors of shares from -1 to 1: steps of the project's palette, with black or white on them. Paper is white.

const FAINT = 0.04;  // of the scale: nothing is shaded below
const dark = matchMedia("(prefers-color-scheme: dark)"), print = matchMedia("print");
const readSteps = (text) => Array.from({ length: text.length / 6 }, (_, i) => [0, 2, 4].map((at) => parseInt(text.slice(6 * i + at, 6 * i + at + 2), 16)));
const RAMPS = Object.fromEntries(Object.entries(data.palette).map(([mode, sides]) => [mode, { above: readSteps(sides.above), below: readSteps(sides.below) }]));
let isPrinting = false;

const rampsNow = () => RAMPS[dark.matches && !isPrinting && !print.matches ? "dark" : "light"];

function colorOf(share) {
  const { above, below } = rampsNow();
  return (share < 0 ? below : above)[Math.round(Math.min(Math.abs(share), 1) * 255)];
}

function luminance(rgb) {
  const [red, green, blue] = rgb.map((value) => (value / 255 <= 0.04045 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4));
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

/** Black or white, whichever has more contrast (WCAG 2.2): 4.58 or more. */
const inkOf = (rgb) => ((luminance(rgb) + 0.05) ** 2 >= 0.0525 ? "#000000" : "#ffffff");
