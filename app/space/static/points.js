// The points of one space: their colours, which of them are selected, and how they are drawn. Above a limit in view, a
// density picture takes their place.

import { CanvasPoints } from "./canvas_points.js";
import { density } from "./density.js";
import { inView } from "./geometry.js";
import { WebGLPoints } from "./webgl_points.js";

const LARGE = 20_000; // points from which they are drawn small
const SELECTED = 1.15; // times as large as the others

export class PointLayer {
  // ``above``: points in view from which density is drawn.
  constructor(host, x, y, above) {
    [this.x, this.y, this.n, this.above] = [x, y, x.length, above];
    this.canvas = layer(host);
    this.picture = layer(host);
    const gl = this.canvas.getContext("webgl2", { antialias: false, premultipliedAlpha: true });
    const again = () => { this.painter.upload(this); this.draw(this.view); };
    this.painter = gl ? new WebGLPoints(gl, x, y, again) : new CanvasPoints(this.canvas, x, y);
  }

  // ``palette``: (levels x 4) bytes, RGBA of each code; ``blend``: codes are steps of a scale, which may be averaged.
  recolour(codes, palette, blend) {
    [this.codes, this.palette, this.blend] = [codes, palette, blend];
    this.painter.upload(this);
  }

  // ``mask``: one byte a point, or null where nothing is selected.
  select(mask) {
    this.mask = mask;
    this.painter.upload(this);
  }

  draw(view) {
    this.view = view;
    if (!this.codes) return;
    const ids = this.n > this.above ? inView(this.x, this.y, view, this.above) : undefined;
    this.dense = ids === null;
    this.canvas.hidden = this.dense;
    this.picture.hidden = !this.dense;
    if (this.dense) return density(this.picture, this, view);
    const size = (ids ?? this.x).length > LARGE ? 3.2 : 6.5;
    this.painter.draw(view, ids, [size, size * SELECTED]);
  }

  dispose() {
    this.painter.dispose();
    this.canvas.remove();
    this.picture.remove();
  }
}

function layer(host) {
  const canvas = document.createElement("canvas");
  canvas.className = "slim-space-layer";
  canvas.setAttribute("aria-hidden", "true");
  host.append(canvas);
  return canvas;
}
