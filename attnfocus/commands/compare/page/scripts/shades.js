// Shades of tokens and cells.

function shade(made, share) {
  const rgb = colorOf(share);
  made.dataset.level = Math.min(3, Math.floor(Math.abs(share) * 4));
  if (Math.abs(share) < FAINT) return;
  made.style.backgroundColor = `rgb(${rgb.join(", ")})`;
  made.style.color = inkOf(rgb);
}
