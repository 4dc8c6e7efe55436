// The points of one space: their colours, which of them are selected, and how they are drawn: in WebGL, on a canvas where
// a browser has none, and above a limit in view as a picture of their density.

import { inView } from "./geometry.js";

export const GREY = [154, 160, 166]; // of what is not selected
export const DIM = 0.22; // its opacity
export const OPACITY = 0.88; // that of all others

// Calls `act` each time a pixel of the page becomes another number of the screen's, as on another monitor.
export function onAnotherRatio(act, signal) {
  const same = matchMedia(`(resolution: ${window.devicePixelRatio}dppx)`);
  same.addEventListener("change", () => { act(); onAnotherRatio(act, signal); }, { once: true, signal });
}

// Gives a canvas as many pixels as its parent has, times ``ratio``.
function sized(canvas, ratio) {
  const box = canvas.parentElement.getBoundingClientRect();
  const [width, height] = [Math.max(1, Math.round(box.width * ratio)), Math.max(1, Math.round(box.height * ratio))];
  if (canvas.width !== width || canvas.height !== height) [canvas.width, canvas.height] = [width, height];
  return [width, height];
}

// Draws points in WebGL: one byte of colour and one of selection a point, so that recolouring and selecting 100,000
// points is one upload of 100 kB and not a new chart.
const grey = GREY.map((one) => (one / 255).toFixed(3)).join(", ");
const VERTEX = `#version 300 es
in float x; in float y; in uint code; in uint state;
uniform vec4 view; uniform float size; uniform int wanted; uniform float dim;
uniform sampler2D palette;
out vec4 colour;
void main() {
  if (int(state) != wanted) { gl_Position = vec4(2.0, 2.0, 0.0, 1.0); gl_PointSize = 0.0; return; }
  gl_Position = vec4((x - view.x) * view.z - 1.0, (y - view.y) * view.w - 1.0, 0.0, 1.0);
  gl_PointSize = size;
  colour = dim > 0.0 ? vec4(${grey}, dim) : vec4(texelFetch(palette, ivec2(int(code), 0), 0).rgb, ${OPACITY});
}`;
const FRAGMENT = `#version 300 es
precision highp float;
in vec4 colour; uniform float size; out vec4 painted;
void main() {
  float edge = (0.5 - distance(gl_PointCoord, vec2(0.5))) * size;
  float alpha = colour.a * clamp(edge + 0.25, 0.0, 1.0);
  if (alpha <= 0.0) discard;
  painted = vec4(colour.rgb * alpha, alpha);
}`;

class WebGLPoints {
  // ``lost``: called when all has to be uploaded and drawn again.
  constructor(gl, x, y, lost) {
    const { canvas } = gl;
    [this.gl, this.canvas, this.x, this.y, this.n] = [gl, canvas, x, y, x.length];
    canvas.addEventListener("webglcontextlost", (event) => event.preventDefault());
    canvas.addEventListener("webglcontextrestored", () => { this.prepare(); lost(); });
    this.prepare();
  }

  prepare() {
    const gl = this.gl;
    this.program = program(gl);
    gl.useProgram(this.program);
    this.attribute("x", this.x);
    this.attribute("y", this.y);
    [this.codeBuffer, this.stateBuffer] = ["code", "state"].map((name) => this.attribute(name, new Uint8Array(this.n)));
    gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, gl.createBuffer());
    gl.bindTexture(gl.TEXTURE_2D, gl.createTexture());
    for (const side of [gl.TEXTURE_MIN_FILTER, gl.TEXTURE_MAG_FILTER]) gl.texParameteri(gl.TEXTURE_2D, side, gl.NEAREST);
    gl.enable(gl.BLEND);
    gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
  }

  // The buffer of an attribute of the vertices: one float or one byte a point.
  attribute(name, values) {
    const gl = this.gl;
    const [at, buffer] = [gl.getAttribLocation(this.program, name), gl.createBuffer()];
    gl.bindBuffer(gl.ARRAY_BUFFER, buffer);
    gl.bufferData(gl.ARRAY_BUFFER, values, gl.DYNAMIC_DRAW);
    gl.enableVertexAttribArray(at);
    if (values instanceof Float32Array) gl.vertexAttribPointer(at, 1, gl.FLOAT, false, 0, 0);
    else gl.vertexAttribIPointer(at, 1, gl.UNSIGNED_BYTE, 0, 0);
    return buffer;
  }

  // ``layer``: codes, palette and mask as PointLayer has them.
  upload({ codes, palette, mask }) {
    const gl = this.gl;
    this.isDimmed = Boolean(mask);
    if (codes) {
      gl.bindBuffer(gl.ARRAY_BUFFER, this.codeBuffer);
      gl.bufferSubData(gl.ARRAY_BUFFER, 0, codes);
      gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA, palette.length / 4, 1, 0, gl.RGBA, gl.UNSIGNED_BYTE, palette);
    }
    gl.bindBuffer(gl.ARRAY_BUFFER, this.stateBuffer);
    gl.bufferSubData(gl.ARRAY_BUFFER, 0, mask ?? new Uint8Array(this.n));
  }

  // ``ids``: the points in view, all where it is undefined; ``size``: their diameters in pixels of the page, of those
  // that are not selected and of those that are.
  draw(view, ids, [size, selected]) {
    const gl = this.gl;
    const ratio = window.devicePixelRatio || 1;
    sized(this.canvas, ratio);
    gl.viewport(0, 0, this.canvas.width, this.canvas.height);
    gl.clearColor(0, 0, 0, 0);
    gl.clear(gl.COLOR_BUFFER_BIT);
    if (ids) gl.bufferData(gl.ELEMENT_ARRAY_BUFFER, ids, gl.STREAM_DRAW);
    const [width, height] = [view.x[1] - view.x[0], view.y[1] - view.y[0]];
    gl.uniform4f(this.at("view"), view.x[0], view.y[0], 2 / width, 2 / height);
    this.pass(ids, 0, size * ratio, this.isDimmed ? DIM : 0);
    if (this.isDimmed) this.pass(ids, 1, selected * ratio, 0);
  }

  pass(ids, wanted, size, dim) {
    const gl = this.gl;
    gl.uniform1i(this.at("wanted"), wanted);
    gl.uniform1f(this.at("size"), size);
    gl.uniform1f(this.at("dim"), dim);
    if (ids) gl.drawElements(gl.POINTS, ids.length, gl.UNSIGNED_INT, 0);
    else gl.drawArrays(gl.POINTS, 0, this.n);
  }

  at(name) { return this.gl.getUniformLocation(this.program, name); }

  dispose() { this.gl.getExtension("WEBGL_lose_context")?.loseContext(); }
}

function program(gl) {
  const made = gl.createProgram();
  for (const [kind, source] of [[gl.VERTEX_SHADER, VERTEX], [gl.FRAGMENT_SHADER, FRAGMENT]]) {
    const shader = gl.createShader(kind);
    gl.shaderSource(shader, source);
    gl.compileShader(shader);
    gl.attachShader(made, shader);
  }
  gl.linkProgram(made);
  if (!gl.getProgramParameter(made, gl.LINK_STATUS)) throw new Error(`The points cannot be drawn: ${gl.getProgramInfoLog(made)}`);
  return made;
}

// Draws points where a browser has no WebGL, as on many a remote desktop: pixel by pixel, a twentieth of a second for
// 100,000 points.
class CanvasPoints {
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

// Density for more points than can be distinguished: a picture of small cells, each in the colour most of its points
// have, the fuller the stronger. Made anew for each view; it holds no more than one number a cell and colour.
const CELL = 2; // pixels a side

// ``points``: x, y, codes, palette, blend and mask as PointLayer has them.
function density(canvas, points, view) {
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

// The points of one space: their colours, which of them are selected, and how they are drawn. Above a limit in view, a
// density picture takes their place.
const LARGE = 20_000; // points from which they are drawn small
export const SELECTED = 1.15; // times as large as the others

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

  // ``palette``: (levels x 4) bytes, RGBA of each code; ``colouring``: what they mean.
  recolour(codes, palette, colouring) {
    [this.codes, this.palette, this.colouring] = [codes, palette, colouring];
    this.blend = colouring.low !== null; // steps of a scale may be averaged
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
