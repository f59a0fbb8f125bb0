// Packed arrays, and images with colors over the boxes of their positions.

const ARRAYS = { u1: Uint8Array, i1: Int8Array, u2: Uint16Array, i2: Int16Array };
const LIGHTEST = 0.45, DARK_GROUND = 50, WIDE = 1.6;  // as display/pictures.py

async function integers({ data, code }) {
  const packed = Uint8Array.from(atob(data), (char) => char.charCodeAt(0));
  const stream = new DecompressionStream("gzip"), writer = stream.writable.getWriter();
  const [content] = await Promise.all([new Response(stream.readable).arrayBuffer(), writer.write(packed), writer.close()]);
  return new ARRAYS[code](content);
}

async function decodePicture(picture) {
  if (!picture || picture.pixels) return;
  picture.pixels = await integers(picture);
  const values = [...picture.pixels].sort((a, b) => a - b);
  picture.isDark = picture.channels === 1 && values[values.length >> 1] < DARK_GROUND;
}

const isWide = ({ size: [rows, columns] }) => columns >= WIDE * rows;

/** Puts an element over a box of a picture: top, left, bottom, right. */
function placeOver(made, { size: [rows, columns] }, [top, left, bottom, right]) {
  Object.assign(made.style, { top: `${(100 * top) / rows}%`, left: `${(100 * left) / columns}%`, width: `${(100 * (right - left)) / columns}%`, height: `${(100 * (bottom - top)) / rows}%` });
}

/** Red, green and blue (0 to 1) of a pixel, so light that colors over it can be told apart; on a dark page so dark. */
function lightOf(picture, pixel, isDarkPage) {
  return [0, 1, 2].map((channel) => {
    const value = picture.pixels[pixel * picture.channels + (picture.channels === 3 ? channel : 0)] / 255;
    if (isDarkPage) return LIGHTEST * (picture.isDark || picture.channels === 3 ? value : 1 - value);
    return 1 - LIGHTEST + LIGHTEST * (picture.isDark ? 1 - value : value);
  });
}

/** The image, its boxes in the colors of shares from -1 to 1; null: without any. */
function paintOver(canvas, picture, shares) {
  const [rows, columns] = picture.size, isDarkPage = rampsNow() === RAMPS.dark;
  canvas.width = columns;
  canvas.height = rows;
  const context = canvas.getContext("2d"), image = context.createImageData(columns, rows);
  const color = new Float32Array(3 * rows * columns).fill(isDarkPage ? 0 : 1);
  (shares ?? []).forEach((share, place) => {
    const [top, left, bottom, right] = picture.boxes[place], rgb = colorOf(share);
    for (let y = top; y < bottom; y++) for (let x = left; x < right; x++) for (let c = 0; c < 3; c++) color[3 * (y * columns + x) + c] = rgb[c] / 255;
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
