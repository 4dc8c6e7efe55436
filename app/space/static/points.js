// Draws points in WebGL: one byte of colour and one of selection a point, so that recolouring and selecting 100,000
// points is one upload of 100 kB and not a new chart. Above a limit in view, a density picture takes their place.

import { density, sized } from "./density.js";
import { inView } from "./geometry.js";

const VERTEX = `#version 300 es
in float x; in float y; in uint code; in uint state;
uniform vec4 view; uniform float size; uniform int wanted; uniform float dim;
uniform sampler2D palette;
out vec4 colour;
void main() {
  if (int(state) != wanted) { gl_Position = vec4(2.0, 2.0, 0.0, 1.0); gl_PointSize = 0.0; return; }
  gl_Position = vec4((x - view.x) * view.z - 1.0, (y - view.y) * view.w - 1.0, 0.0, 1.0);
  gl_PointSize = size;
  colour = dim > 0.0 ? vec4(0.6, 0.63, 0.65, dim) : vec4(texelFetch(palette, ivec2(int(code), 0), 0).rgb, 0.88);
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

const DIM = 0.22; // opacity of what is not selected
const LARGE = 20_000; // points from which they are drawn small

export class PointLayer {
  // ``above``: points in view from which density is drawn.
  constructor(host, x, y, above) {
    [this.x, this.y, this.n, this.above] = [x, y, x.length, above];
    this.canvas = layer(host);
    this.picture = layer(host);
    this.gl = this.canvas.getContext("webgl2", { antialias: false, premultipliedAlpha: true });
    if (!this.gl) throw new Error("This browser does not support WebGL. Turn on hardware acceleration, or use another browser.");
    this.canvas.addEventListener("webglcontextlost", (event) => event.preventDefault());
    this.canvas.addEventListener("webglcontextrestored", () => { this.prepare(); this.upload(); this.draw(this.view); });
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

  // ``palette``: (levels x 4) bytes, RGBA of each code; ``blend``: codes are steps of a scale, which may be averaged.
  recolour(codes, palette, blend) {
    [this.codes, this.palette, this.blend] = [codes, palette, blend];
    this.upload();
  }

  // ``mask``: one byte a point, or null where nothing is selected.
  select(mask) {
    this.mask = mask;
    this.upload();
  }

  upload() {
    const gl = this.gl;
    if (this.codes) {
      gl.bindBuffer(gl.ARRAY_BUFFER, this.codeBuffer);
      gl.bufferSubData(gl.ARRAY_BUFFER, 0, this.codes);
      const levels = this.palette.length / 4;
      gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA, levels, 1, 0, gl.RGBA, gl.UNSIGNED_BYTE, this.palette);
    }
    gl.bindBuffer(gl.ARRAY_BUFFER, this.stateBuffer);
    gl.bufferSubData(gl.ARRAY_BUFFER, 0, this.mask ?? new Uint8Array(this.n));
  }

  draw(view) {
    this.view = view;
    if (!this.codes) return;
    const ids = this.n > this.above ? inView(this.x, this.y, view, this.above) : undefined;
    this.dense = ids === null;
    this.canvas.hidden = this.dense;
    this.picture.hidden = !this.dense;
    if (this.dense) density(this.picture, this, view);
    else this.points(view, ids);
  }

  points(view, ids) {
    const gl = this.gl;
    const ratio = window.devicePixelRatio || 1;
    sized(this.canvas, ratio);
    gl.viewport(0, 0, this.canvas.width, this.canvas.height);
    gl.clearColor(0, 0, 0, 0);
    gl.clear(gl.COLOR_BUFFER_BIT);
    if (ids) gl.bufferData(gl.ELEMENT_ARRAY_BUFFER, ids, gl.STREAM_DRAW);
    const [width, height] = [view.x[1] - view.x[0], view.y[1] - view.y[0]];
    gl.uniform4f(this.at("view"), view.x[0], view.y[0], 2 / width, 2 / height);
    const size = ((ids ? ids.length : this.n) > LARGE ? 3.2 : 6.5) * ratio;
    this.pass(ids, 0, size, this.mask ? DIM : 0);
    if (this.mask) this.pass(ids, 1, size * 1.15, 0);
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

  dispose() {
    this.gl?.getExtension("WEBGL_lose_context")?.loseContext();
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
