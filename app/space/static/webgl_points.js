// Draws points in WebGL: one byte of colour and one of selection a point, so that recolouring and selecting 100,000
// points is one upload of 100 kB and not a new chart.

import { DIM, GREY, OPACITY, sized } from "./look.js";

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

export class WebGLPoints {
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
