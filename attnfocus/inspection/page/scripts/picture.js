// An input that is an image: its positions are boxes over it, and colors of weights lie in its light.

const LIGHTEST = 0.45, DARK_GROUND = 50;  // as display/pictures.py

/** The picture below an axis ("queries", "keys") of the map at hand; null where its labels are text. */
function pictureOf(side) {
  const { picture } = example(), of = view.map.of ?? ["output", "input"];
  const labels = view[side], isWhole = view.map.shape[side === "keys" ? 2 : 1] === labels.length;
  return picture && isWhole && of[side === "keys" ? 1 : 0] === "input" && labels.length >= picture.boxes.length ? picture : null;
}

async function decodePicture(picture) {
  if (!picture || picture.pixels) return;
  picture.pixels = await integers(picture);
  const values = [...picture.pixels].sort((a, b) => a - b);
  picture.isDark = picture.channels === 1 && values[values.length >> 1] < DARK_GROUND;
}

/** Red, green and blue (0 to 1) of a pixel, so light that colors over it can be told apart; on a dark page so dark. */
function lightOf(picture, pixel, isDarkPage) {
  return [0, 1, 2].map((channel) => {
    const value = picture.pixels[pixel * picture.channels + (picture.channels === 3 ? channel : 0)] / 255;
    if (isDarkPage) return LIGHTEST * (picture.isDark || picture.channels === 3 ? value : 1 - value);
    return 1 - LIGHTEST + LIGHTEST * (picture.isDark ? 1 - value : value);
  });
}

/** The image; with weights of its positions, in their colors. */
function paintPicture(canvas, picture, weights) {
  const [rows, columns] = picture.size, isDarkPage = rampsNow() === RAMPS.dark, share = sharer();
  canvas.width = columns;
  canvas.height = rows;
  const context = canvas.getContext("2d"), image = context.createImageData(columns, rows), first = weights ? weights.length - picture.boxes.length : 0;
  const colors = weights ? picture.boxes.map((_, place) => colorOf(Math.max(-1, Math.min(1, share(weights[first + place]))))) : null;
  const ground = isDarkPage ? 0 : 1, color = new Float32Array(3 * rows * columns).fill(ground);
  (colors ?? []).forEach((each, place) => {
    const [top, left, bottom, right] = picture.boxes[place];
    for (let y = top; y < bottom; y++) for (let x = left; x < right; x++) for (let c = 0; c < 3; c++) color[3 * (y * columns + x) + c] = each[c] / 255;
  });
  for (let pixel = 0; pixel < rows * columns; pixel++) {
    const light = lightOf(picture, pixel, isDarkPage);
    for (let c = 0; c < 3; c++) {
      const over = color[3 * pixel + c], value = isDarkPage ? 1 - (1 - light[c]) * (1 - over) : light[c] * over;
      image.data[4 * pixel + c] = Math.round(255 * value);
    }
    image.data[4 * pixel + 3] = 255;
  }
  context.putImageData(image, 0, 0);
}

/** A box of tokens as the image with a span over each position; what the model puts in front stands before it. */
function drawOver(box, labels, picture) {
  const first = labels.length - picture.boxes.length, [rows, columns] = picture.size;
  const spans = labels.map((text, place) => {
    const made = element("span", place < first ? text : "", place < first ? "special" : "");
    made.dataset.place = place;
    if (place < first) return made;
    const [top, left, bottom, right] = picture.boxes[place - first];
    made.setAttribute("aria-label", text);
    Object.assign(made.style, { top: `${(100 * top) / rows}%`, left: `${(100 * left) / columns}%`, width: `${(100 * (right - left)) / columns}%`, height: `${(100 * (bottom - top)) / rows}%` });
    return made;
  });
  const frame = element("div", "", "image"), canvas = element("canvas");
  canvas.setAttribute("aria-hidden", "true");
  paintPicture(canvas, picture, null);
  const known = picture.regions.map(([top, left, bottom, right]) => {
    const made = element("i", "", "region");
    Object.assign(made.style, { top: `${(100 * top) / rows}%`, left: `${(100 * left) / columns}%`, width: `${(100 * (right - left)) / columns}%`, height: `${(100 * (bottom - top)) / rows}%` });
    return made;
  });
  frame.append(canvas, ...spans.slice(first), ...known);
  box.replaceChildren(...spans.slice(0, first), frame);
}

/** How many positions a row of the picture below an axis has; 1 for text. */
function acrossOf(side) {
  const picture = pictureOf(side);
  if (!picture) return 1;
  return picture.boxes.filter(([top]) => top === picture.boxes[0][0]).length;
}

function drawAxis(side) {
  const picture = pictureOf(side), box = $(side);
  box.classList.toggle("over", Boolean(picture));
  if (picture) drawOver(box, view[side], picture);
  else runningText(box, view[side]);
}

/** A small picture of a head's weights over the image, the mean over all that look. */
function paintHeadOver(canvas, picture, head) {
  const values = view.headValues(head), width = view.keys.length, height = values.length / width, mean = new Float32Array(width);
  for (let q = 0; q < height; q++) for (let k = 0; k < width; k++) mean[k] += values[q * width + k] / height;
  paintPicture(canvas, picture, mean);
}
