// An input that is an image: its positions are boxes over it, and colors of weights lie in its light.

/** The picture below an axis ("queries", "keys") of the map at hand; null where its labels are text. */
function pictureOf(side) {
  const { picture } = example(), of = view.map.of ?? ["output", "input"];
  const labels = view[side], isWhole = view.map.shape[side === "keys" ? 2 : 1] === labels.length;
  return picture && isWhole && of[side === "keys" ? 1 : 0] === "input" && labels.length >= picture.boxes.length ? picture : null;
}

/** The image; with weights of its positions, in their colors. */
function paintPicture(canvas, picture, weights) {
  const share = sharer(), first = weights ? weights.length - picture.boxes.length : 0;
  paintOver(canvas, picture, weights ? picture.boxes.map((_, place) => Math.max(-1, Math.min(1, share(weights[first + place])))) : null);
}

/** A box of tokens as the image with a span over each position; what the model puts in front stands before it. */
function drawOver(box, labels, picture) {
  const first = labels.length - picture.boxes.length;
  const spans = labels.map((text, place) => {
    const made = element("span", place < first ? text : "", place < first ? "special" : "");
    made.dataset.place = place;
    if (place < first) return made;
    made.setAttribute("aria-label", text);
    placeOver(made, picture, picture.boxes[place - first]);
    return made;
  });
  const frame = element("div", "", isWide(picture) ? "image wide" : "image"), canvas = element("canvas");
  canvas.setAttribute("aria-hidden", "true");
  paintPicture(canvas, picture, null);
  const known = picture.regions.map((region) => {
    const made = element("i", "", "region");
    placeOver(made, picture, region);
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
