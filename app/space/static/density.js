// Density for more points than can be distinguished: a picture of small cells, each in the colour most of its points
// have, the fuller the stronger. Made anew for each view; it holds no more than one number a cell and colour.

import { GREY, sized } from "./look.js";

const CELL = 2; // pixels a side

// ``points``: x, y, codes, palette, blend and mask as PointLayer has them.
export function density(canvas, points, view) {
  const [width, height] = sized(canvas, 1 / CELL);
  const pixels = binned(points, view, width, height);
  canvas.getContext("2d").putImageData(new ImageData(pixels, width, height), 0, 0);
}

// (height x width x 4) bytes RGBA, the top line first.
export function binned(points, view, width, height) {
  const pixels = new Uint8ClampedArray(width * height * 4);
  if (points.mask) paint(pixels, counts(points, view, width, height, 0), () => GREY, 0.35);
  const chosen = counts(points, view, width, height, points.mask ? 1 : undefined);
  paint(pixels, chosen, (code) => points.palette.subarray(code * 4, code * 4 + 3), 1);
  return pixels;
}

// How many points each cell has, and their code: the most frequent one, or the mean of a scale.
function counts(points, view, width, height, wanted) {
  const levels = points.blend ? 1 : points.palette.length / 4;
  const [n, byCode] = [new Uint32Array(width * height), new Uint32Array(width * height * levels)];
  const [kx, ky] = [width / (view.x[1] - view.x[0]), height / (view.y[1] - view.y[0])];
  for (let id = 0; id < points.x.length; id++) {
    if (wanted !== undefined && points.mask[id] !== wanted) continue;
    const column = Math.floor((points.x[id] - view.x[0]) * kx);
    const line = height - 1 - Math.floor((points.y[id] - view.y[0]) * ky);
    if (column < 0 || column >= width || line < 0 || line >= height) continue;
    const cell = line * width + column;
    n[cell]++;
    if (points.blend) byCode[cell] += points.codes[id];
    else byCode[cell * levels + points.codes[id]]++;
  }
  return { n, codeOf: points.blend ? (cell) => Math.round(byCode[cell] / n[cell]) : (cell) => mode(byCode, cell, levels) };
}

function mode(byCode, cell, levels) {
  let best = 0;
  for (let code = 1; code < levels; code++) if (byCode[cell * levels + code] > byCode[cell * levels + best]) best = code;
  return best;
}

function paint(pixels, { n, codeOf }, colourOf, strength) {
  const top = Math.log1p(n.reduce((high, one) => Math.max(high, one), 1));
  for (let cell = 0; cell < n.length; cell++) {
    if (!n[cell]) continue;
    pixels.set(colourOf(codeOf(cell)), cell * 4);
    pixels[cell * 4 + 3] = 255 * strength * (0.25 + (0.75 * Math.log1p(n[cell])) / top);
  }
}
