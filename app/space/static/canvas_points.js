// Draws points where a browser has no WebGL, as on many a remote desktop: pixel by pixel, a twentieth of a second for
// 100,000 points.

import { DIM, GREY, OPACITY, sized } from "./look.js";

export class CanvasPoints {
  constructor(canvas, x, y) { [this.canvas, this.x, this.y] = [canvas, x, y]; }

  // As WebGLPoints.
  upload({ codes, palette, mask }) {
    const colours = Array.from({ length: (palette?.length ?? 0) / 4 }, (_, code) => palette.subarray(code * 4, code * 4 + 3));
    this.own = (id) => colours[codes[id]];
    this.mask = mask;
  }

  draw(view, ids, [size, selected]) {
    const ratio = window.devicePixelRatio || 1;
    const picture = new ImageData(...sized(this.canvas, ratio));
    const pass = (isWanted, disc, colourOf) => {
      for (const [id, x, y] of this.places(picture, view, ids)) if (isWanted(id)) stamp(picture, x, y, disc, colourOf(id));
    };
    if (this.mask) {
      pass((id) => !this.mask[id], discOf(size * ratio, DIM), () => GREY);
      pass((id) => this.mask[id], discOf(selected * ratio, OPACITY), this.own);
    } else pass(() => true, discOf(size * ratio, OPACITY), this.own);
    this.canvas.getContext("2d").putImageData(picture, 0, 0);
  }

  // Number, column and line of each point.
  * places({ width, height }, view, ids) {
    const [kx, ky] = [width / (view.x[1] - view.x[0]), height / (view.y[1] - view.y[0])];
    for (let at = 0; at < (ids ?? this.x).length; at++) {
      const id = ids ? ids[at] : at;
      yield [id, Math.floor((this.x[id] - view.x[0]) * kx), Math.floor((view.y[1] - this.y[id]) * ky)];
    }
  }

  dispose() { } // nothing is kept outside the page
}

// The pixels of a disc around its middle: column, line and opacity of each.
function discOf(size, opacity) {
  const [reach, disc] = [Math.ceil(size / 2), []];
  for (let line = -reach; line <= reach; line++) {
    for (let column = -reach; column <= reach; column++) {
      const alpha = opacity * Math.min(1, size / 2 - Math.hypot(column, line) + 0.25);
      if (alpha > 0) disc.push([column, line, alpha]);
    }
  }
  return disc;
}

// Lays a disc over what is there ("source over" of Porter and Duff, with colours that are not premultiplied).
function stamp({ data, width, height }, x, y, disc, colour) {
  for (const [column, line, alpha] of disc) {
    const [to, down] = [x + column, y + line];
    if (to < 0 || to >= width || down < 0 || down >= height) continue;
    const at = (down * width + to) * 4;
    const behind = (data[at + 3] / 255) * (1 - alpha);
    const both = alpha + behind;
    for (let channel = 0; channel < 3; channel++) {
      data[at + channel] = (colour[channel] * alpha + data[at + channel] * behind) / both;
    }
    data[at + 3] = 255 * both;
  }
}
