// One space. Plotly gives it lasso, box, zoom and pan; the points are drawn below that frame in WebGL (space_points.js),
// so that colours and selections change at once whatever their number.

import { fit, insideBox, insidePolygon, NearestPoint } from "./space_geometry.js";
import { PointLayer } from "./space_points.js";

const NEAR = 9; // pixels from a point at which the pointer means it
const CLICK = 4; // pixels a press may move and still be a click
const STEP = 0.15; // share of the view an arrow key moves by

export const css = (element, name, otherwise) => getComputedStyle(element).getPropertyValue(name).trim() || otherwise;
export const howOf = (event) => (event.shiftKey ? "add" : event.altKey ? "subtract" : "replace");
export const many = (n) => n.toLocaleString("en");

function element(tag, className, text) {
  const made = document.createElement(tag);
  made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

// Its points below, Plotly's frame above.
export class Panel {
  constructor(owner, about, points) {
    [this.owner, this.about] = [owner, about];
    const n = owner.data.n;
    [this.x, this.y] = [points.subarray(0, n), points.subarray(n, 2 * n)];
    this.box = element("figure", "slim-space-panel");
    this.host = element("div", "slim-space-plot");
    Object.assign(this.host, { tabIndex: 0 });
    this.host.setAttribute("role", "img");
    this.host.setAttribute("aria-label", `${about.title}. ${many(n)} images as points; the table below counts them.`);
    this.frame = element("div", "slim-space-frame");
    this.box.append(element("figcaption", "", about.title), this.host);
    owner.host.append(this.box);
    this.memory = `slim-space ${about.key}`;
    this.home = fit(this.x, this.y);
    this.view = this.remembered() ?? this.home;
    this.layer = new PointLayer(this.host, this.x, this.y, owner.data.above);
    this.host.append(this.frame);
    this.listen();
  }

  remembered() {
    try {
      const kept = JSON.parse(sessionStorage.getItem(this.memory));
      return [...kept.x, ...kept.y].every(Number.isFinite) ? kept : null;
    } catch { return null; } // nothing kept, or no storage allowed
  }

  async dress(Plotly) { // the frame, once Plotly is there; the points do not wait for it
    this.Plotly = Plotly;
    const corner = { type: "scatter", mode: "markers", x: [this.home.x[0]], y: [this.home.y[0]], marker: { opacity: 0 }, hoverinfo: "none" };
    await Plotly.newPlot(this.frame, [corner], this.layout(), { displayModeBar: false, scrollZoom: true, doubleClick: false });
    this.frame.on("plotly_selected", (event) => this.selected(event));
    this.frame.on("plotly_relayouting", (event) => this.moved(event));
    this.frame.on("plotly_relayout", (event) => this.moved(event));
  }

  layout() {
    const axis = { visible: false, fixedrange: false };
    const line = { color: css(this.owner.root, "--st-text-color", "#31333f"), width: 1.5 };
    return {
      dragmode: this.owner.tool, selectdirection: "d", hovermode: false, showlegend: false, autosize: true,
      margin: { l: 0, r: 0, t: 0, b: 0 }, paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
      xaxis: { ...axis, range: [...this.view.x] }, yaxis: { ...axis, range: [...this.view.y] }, newselection: { line },
    };
  }

  selected(event) {
    if (!event || !(event.lassoPoints || event.range)) return; // our own clearing of the outline
    const region = event.lassoPoints ? insidePolygon(this.x, this.y, event.lassoPoints) : insideBox(this.x, this.y, event.range);
    this.owner.choose(region, this.how ?? "replace");
    this.Plotly.relayout(this.frame, { selections: [] });
  }

  moved(event) {
    const at = (name) => [event[`${name}.range[0]`], event[`${name}.range[1]`]];
    const [x, y] = [at("xaxis"), at("yaxis")];
    if (![...x, ...y].every(Number.isFinite)) return;
    this.look({ x, y });
  }

  look(view) {
    this.view = view;
    try { sessionStorage.setItem(this.memory, JSON.stringify(view)); } catch { /* private mode: not kept */ }
    this.draw();
  }

  go(view) {
    this.look(view);
    this.Plotly?.relayout(this.frame, { "xaxis.range": [...view.x], "yaxis.range": [...view.y] });
  }

  zoom(factor) {
    const scaled = ([low, high]) => [(low + high - (high - low) * factor) / 2, (low + high + (high - low) * factor) / 2];
    this.go({ x: scaled(this.view.x), y: scaled(this.view.y) });
  }

  shift(dx, dy) {
    const moved = ([low, high], by) => [low + (high - low) * by, high + (high - low) * by];
    this.go({ x: moved(this.view.x, dx), y: moved(this.view.y, dy) });
  }

  draw() {
    this.waiting ??= requestAnimationFrame(() => {
      this.waiting = undefined;
      if (this.layer.gl) this.layer.draw(this.view);
      this.owner.count();
    });
  }

  listen() {
    const { host } = this;
    host.addEventListener("pointerdown", (event) => { this.how = howOf(event); this.press = [event.clientX, event.clientY]; this.owner.card.hide(); }, true);
    host.addEventListener("click", (event) => this.click(event), true);
    host.addEventListener("dblclick", (event) => { event.preventDefault(); if (this.owner.tool === "pan") this.go(this.home); else this.owner.clear(); });
    host.addEventListener("pointermove", (event) => this.point(event));
    host.addEventListener("pointerleave", () => this.owner.card.hide());
    host.addEventListener("keydown", (event) => this.key(event));
  }

  under(event) {
    const box = this.host.getBoundingClientRect();
    const [width, height] = [this.view.x[1] - this.view.x[0], this.view.y[1] - this.view.y[0]];
    const px = this.view.x[0] + ((event.clientX - box.left) / box.width) * width;
    const py = this.view.y[1] - ((event.clientY - box.top) / box.height) * height;
    this.nearest ??= new NearestPoint(this.x, this.y);
    return this.nearest.find(px, py, (NEAR / box.width) * width, (NEAR / box.height) * height);
  }

  click(event) {
    const [x, y] = this.press ?? [event.clientX, event.clientY];
    if (Math.hypot(event.clientX - x, event.clientY - y) > CLICK || this.layer.dense) return;
    const id = this.under(event);
    if (id < 0) return;
    const region = new Uint8Array(this.x.length);
    region[id] = 1;
    this.owner.choose(region, howOf(event));
  }

  point(event) {
    if (event.buttons || event.pointerType === "touch" || this.layer.dense) return this.owner.card.hide();
    const id = this.under(event);
    if (id < 0) this.owner.card.hide();
    else this.owner.card.show(id, event.clientX, event.clientY);
  }

  key(event) {
    const moves = { ArrowLeft: [-STEP, 0], ArrowRight: [STEP, 0], ArrowUp: [0, STEP], ArrowDown: [0, -STEP] };
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (moves[event.key]) this.shift(...moves[event.key]);
    else if (event.key === "+") this.zoom(0.7);
    else if (event.key === "-") this.zoom(1 / 0.7);
    else if (event.key === "0") this.go(this.home);
    else return;
    event.preventDefault();
  }

  resized() {
    if (this.Plotly) this.Plotly.Plots.resize(this.frame);
    this.draw();
  }

  dispose() {
    cancelAnimationFrame(this.waiting);
    if (this.Plotly) this.Plotly.purge(this.frame);
    this.layer.dispose();
    this.box.remove();
  }
}
