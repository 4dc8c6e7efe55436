// A space as a Plotly figure, in place of our own drawing: the same points, colours and selection, with Plotly's lasso,
// box, zoom, pan and hover. What they choose goes the way of every other selection.

import { icon } from "./controls.js";
import { insideBox, insidePolygon } from "./geometry.js";
import { NEAR } from "./panel.js";
import { howOf } from "./pointer.js";
import { DIM, GREY, OPACITY, SELECTED } from "./points.js";

const SVG_UP_TO = 1_000; // points that Plotly draws as SVG: with more, WebGL answers in half the time
const [SIZE, SMALL, SMALL_ABOVE] = [6.5, 4, 5_000]; // pixels of a point, and above how many points they are fewer
const CLICK = 8; // pixels a press may move before Plotly draws
const STEP = 16; // codes between two stops of a scale
const MARGIN = { l: 24, r: 24, t: 56, b: 24 }; // of a picture, in pixels
const DOWNLOAD = "M8 2v8M4.5 7L8 10.5 11.5 7M2.5 13.5h11";
const CONFIG = { displayModeBar: false, scrollZoom: false, doubleClick: false, showTips: false };

// Plotly, where it comes and can draw n points: by thumb, our own drawing is the better one.
export async function plotlyFor(url, n) {
  if (!url || matchMedia("(pointer: coarse), (max-width: 700px)").matches) return undefined;
  if (n > SVG_UP_TO && !document.createElement("canvas").getContext("webgl")) return undefined;
  return import(url).then(() => window.Plotly, () => undefined);
}

export class Figure {
  // ``tool()``, ``choose(region, how)`` and ``hover(id, event)`` are those of a Pointer.
  constructor(plotly, panel, { tool, choose, hover }) {
    Object.assign(this, { plotly, panel, toolInUse: tool, choose, hover });
    this.hidden = new Set(); // codes of parts that are not shown
    this.chart = document.createElement("div");
    this.chart.className = "slim-space-layer";
    this.download = icon(`Download as PNG: ${panel.about.title}`, DOWNLOAD);
    this.download.addEventListener("click", () => this.save());
    this.abort = new AbortController();
  }

  // Draw what a layer shows; rejects where it cannot be drawn. From then on it is the pointer's.
  async takeOver(layer, lost) {
    const { panel } = this;
    this.mask = layer.mask;
    this.recolour(layer.codes, layer.palette, layer.colouring);
    panel.host.append(this.chart);
    await this.plotly.newPlot(this.chart, this.traces(), this.layout(panel.view), CONFIG);
    this.isStale = false;
    panel.box.querySelector("figcaption").append(this.download);
    const on = (kind, act) => this.chart.on(`plotly_${kind}`, act);
    on("hover", ({ points, event }) => this.hover(this.idOf(points[0]), event));
    on("unhover", ({ event }) => this.hover(-1, event));
    on("selected", (found) => this.drawn(found));
    for (const twice of ["deselect", "doubleclick"]) on(twice, () => this.twice()); // of a lasso, and of the view
    on("relayout", (changed) => this.moved(changed));
    on("webglcontextlost", lost);
    const listen = (kind, act, where = panel.host) =>
      where.addEventListener(kind, act, { capture: true, passive: false, signal: this.abort.signal });
    listen("pointerdown", (event) => this.press(event));
    listen("pointermove", (event) => { this.isDrawing ||= Boolean(this.began) && this.far(event) > CLICK; }, window);
    listen("pointerup", (event) => this.release(event), window);
    listen("mousedown", (event) => this.plain(event));
    listen("wheel", (event) => panel.wheel(event, this.toolInUse()));
  }

  press(event) {
    this.panel.reached();
    this.hover(-1, event);
    [this.how, this.began, this.isDrawing] = [howOf(event), event, false];
  }

  far(event) { return Math.hypot(event.clientX - this.began.clientX, event.clientY - this.began.clientY); }

  release(event) {
    if (!this.began) return;
    this.clicked = this.isDrawing ? -1 : this.panel.under(this.panel.placeOf(event));
    this.began = undefined;
    if (this.clicked >= 0) this.choose(this.panel.only(this.clicked), this.how);
  }

  // Two quick clicks may also have meant two points.
  twice() {
    if (["pan", "zoom"].includes(this.toolInUse())) this.panel.show(this.panel.home);
    else if (this.clicked < 0) this.choose(new Uint8Array(this.panel.x.length), "replace");
    this.again();
  }

  // Plotly would join what is drawn with Shift or Alt to its own last lasso: here it joins the selection of both spaces.
  plain(event) {
    if (!event.shiftKey && !event.altKey) return;
    event.stopImmediatePropagation();
    event.preventDefault();
    const { button, buttons, clientX, clientY } = event;
    const pressed = { bubbles: true, cancelable: true, view: window, button, buttons, clientX, clientY };
    event.target.dispatchEvent(new MouseEvent("mousedown", pressed));
  }

  // ``found``: undefined where a lasso holds no point.
  drawn(found) {
    if (!this.isDrawing) return;
    this.isDrawing = false;
    this.unmark();
    const { x, y } = this.panel;
    const region = found?.lassoPoints ? insidePolygon(x, y, found.lassoPoints)
      : found?.range ? insideBox(x, y, found.range) : new Uint8Array(x.length);
    this.choose(region.map((one, id) => one && this.shows(id)), this.how);
  }

  // Give up what is being drawn; true where something was.
  cancel() {
    if (!this.began) return false;
    [this.began, this.isDrawing] = [undefined, false];
    document.dispatchEvent(new MouseEvent("mouseup", { bubbles: true }));
    this.unmark();
    this.again();
    return true;
  }

  // Plotly has marked points by itself.
  again() {
    this.isStale = true;
    this.panel.draw();
  }

  // What was drawn is over: Plotly would keep it, to be changed.
  unmark() { for (const outline of this.chart.querySelectorAll(".zoomlayer > *")) outline.remove(); }

  moved(changed) {
    if (!Object.keys(changed).some((key) => key.includes("axis"))) return;
    const { xaxis, yaxis } = this.chart.layout;
    this.panel.show({ x: [...xaxis.range], y: [...yaxis.range] });
  }

  idOf({ curveNumber, pointNumber }) { return this.parts[curveNumber].ids[pointNumber]; }

  // The part of a code: all codes of a scale are one, beside the unknown.
  partOf(code) { return this.isScale ? Math.min(code, 1) : code; }

  shows(id) { return !this.hidden.has(this.partOf(this.codes[id])); }

  // As PointLayer. A part is a line of the legend, or a scale.
  recolour(codes, palette, colouring) {
    const rgb = (code) => `rgb(${palette.subarray(code * 4, code * 4 + 3).join()})`;
    Object.assign(this, { codes, palette, colouring, isScale: colouring.low !== null, isStale: true });
    const names = new Map(colouring.legend.map(({ code, name }) => [code, name]));
    if (this.isScale) names.set(1, colouring.title);
    this.parts = [...names].map(([code, name], at) => {
      const ids = Uint32Array.from(codes.keys()).filter((id) => this.partOf(codes[id]) === code);
      const [x, y] = [this.panel.x, this.panel.y].map((axis) => Float32Array.from(ids, (id) => axis[id]));
      const isRamp = this.isScale && code === 1;
      const marker = isRamp ? ramp(Array.from(ids, (id) => codes[id]), rgb, colouring) : { color: rgb(code) };
      return { code, name: written(name), legendrank: at, ids, x, y, marker };
    }).sort((one, other) => other.ids.length - one.ids.length); // the rare ones above
  }

  select(mask) { [this.mask, this.isStale] = [mask, true]; }

  hide(hidden) { [this.hidden, this.isStale] = [hidden, true]; }

  traces() {
    const { x } = this.panel;
    const size = x.length > SMALL_ABOVE ? SMALL : SIZE;
    return this.parts.map(({ code, name, ids, marker, ...places }) => ({
      ...places, name, type: x.length > SVG_UP_TO ? "scattergl" : "scatter", mode: "markers", hoverinfo: "none",
      marker: { size, opacity: OPACITY, line: { width: 0 }, ...marker },
      selectedpoints: this.mask ? Array.from(ids.keys()).filter((at) => this.mask[ids[at]]) : undefined,
      selected: { marker: { opacity: OPACITY, size: size * SELECTED } },
      unselected: { marker: { opacity: DIM, color: `rgb(${GREY.join()})` } },
      visible: !this.hidden.has(code),
    }));
  }

  layout(view) {
    const { width, height } = this.panel.host.getBoundingClientRect();
    const axis = { visible: false, autorange: false };
    const line = { color: getComputedStyle(this.panel.host).color, width: 1.5, dash: "dash" };
    return {
      width, height, margin: { l: 0, r: 0, t: 0, b: 0 }, showlegend: false, selections: [], newselection: { mode: "gradual", line },
      xaxis: { ...axis, range: [...view.x] }, yaxis: { ...axis, range: [...view.y] },
      dragmode: this.toolInUse(), hovermode: "closest", hoverdistance: NEAR,
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
    };
  }

  draw(view) {
    const layout = this.layout(view);
    const wanted = JSON.stringify(layout);
    if (!this.isStale && wanted === this.wanted) return;
    [this.isStale, this.wanted, this.view] = [false, wanted, view];
    this.plotly.react(this.chart, this.traces(), layout, CONFIG);
  }

  // The picture says by itself what it shows: with title and legend, in the colours of the page.
  save() {
    const { title, key } = this.panel.about;
    const style = getComputedStyle(this.panel.host);
    const layout = this.layout(this.panel.view);
    const ground = getComputedStyle(document.body).backgroundColor;
    const [width, height] = [layout.width + 240, layout.height + MARGIN.t + MARGIN.b];
    const data = this.traces().map((one) => (one.marker.colorbar ? { ...one, marker: { ...one.marker, showscale: true }, showlegend: false } : one));
    const picture = {
      ...layout, width, height, margin: MARGIN, showlegend: true, title: { text: written(title), x: 0.02 },
      legend: { ...(this.isScale ? { y: 0 } : { title: { text: written(this.colouring.title) } }), itemsizing: "constant" },
      font: { color: style.color, family: "sans-serif" }, paper_bgcolor: ground, plot_bgcolor: ground,
    };
    this.plotly.downloadImage({ data, layout: picture }, { format: "png", width, height, scale: 2, filename: key.replace(" ", "-") });
  }

  dispose() {
    this.abort.abort();
    this.download.remove();
    this.plotly.purge(this.chart);
    this.chart.remove();
  }
}

// Colours by number; the ends of the scale are told in the picture.
function ramp(codes, rgb, { low, high, title, palette }) {
  const last = palette.length - 1;
  const stops = Array.from({ length: STEP }, (_, at) => Math.round(1 + (at * (last - 1)) / (STEP - 1)));
  const colorscale = stops.map((code) => [(code - 1) / (last - 1), rgb(code)]);
  const colorbar = { title: { text: written(title), side: "right" }, thickness: 12, len: 0.8, y: 1, yanchor: "top", tickvals: [1, last], ticktext: [low, high].map((end) => end.toFixed(2)) };
  return { color: codes, colorscale, cmin: 1, cmax: last, colorbar, showscale: false };
}

// A name as Plotly takes it, which reads HTML.
const written = (text) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
