// What the pointer does in one space: draw a lasso or a box, click a point, drag the view, zoom with the wheel or with
// two fingers. With Shift a region is added to the selection, with Alt it is taken away.

import { insideBox, insidePolygon, span } from "./geometry.js";

const CLICK = 4; // pixels a press may move and still be a click
const TAP = 12; // the same of a finger, which rolls while it taps
const GRAIN = 2; // pixels between the corners of a lasso
const SVG = "http://www.w3.org/2000/svg";

export const howOf = (event) => (event.shiftKey ? "add" : event.altKey ? "subtract" : "replace");

export class Pointer {
  // `tool()`: which is in use; `choose(region, how)`: one was drawn or clicked; `hover(id, event)`: the point under the
  // pointer, -1 where there is none.
  constructor(panel, { tool, choose, hover }) {
    Object.assign(this, { panel, host: panel.host, choose, hover, toolInUse: tool });
    this.down = new Map(); // pointers that are pressed: id -> where
    this.path = document.createElementNS(SVG, "path");
    this.drawing = document.createElementNS(SVG, "svg");
    this.drawing.setAttribute("class", "slim-space-drawing");
    this.drawing.setAttribute("aria-hidden", "true");
    this.drawing.append(this.path);
    this.host.append(this.drawing);
    this.abort = new AbortController();
    const how = { passive: false, signal: this.abort.signal };
    const on = (kind, act) => this.host.addEventListener(kind, (event) => act.call(this, event), how);
    on("pointerdown", this.press);
    on("pointermove", this.move);
    on("pointerup", this.release);
    on("pointercancel", this.drop);
    on("pointerleave", (event) => this.hover(-1, event));
    on("wheel", (event) => panel.wheel(event, tool()));
    on("dblclick", this.twice);
  }

  at(event) { return this.panel.placeOf(event); }

  press(event) {
    if (event.button > 1) return;
    if (event.pointerType !== "touch") event.preventDefault(); // no text is marked, no picture dragged
    this.panel.reached();
    this.host.setPointerCapture(event.pointerId);
    this.hover(-1, event);
    this.down.set(event.pointerId, this.at(event));
    this.how = howOf(event);
    this.tool = event.button === 1 ? "pan" : this.toolInUse();
    this.trace = this.down.size === 1 ? [this.at(event)] : null; // a second finger ends the drawing
    this.draw();
  }

  move(event) {
    if (!this.down.size) return this.hover(event.pointerType === "touch" ? -1 : this.panel.under(this.at(event)), event);
    if (!this.down.has(event.pointerId)) return;
    const [before, now] = [this.down.get(event.pointerId), this.at(event)];
    if (this.down.size === 2) this.pinch(event.pointerId, before, now);
    else if (this.tool === "pan") this.panel.drag(now.x - before.x, now.y - before.y);
    this.down.set(event.pointerId, now);
    if (!this.trace) return;
    const last = this.trace.at(-1);
    if (this.trace.length === 1 || Math.hypot(now.x - last.x, now.y - last.y) >= GRAIN) this.trace.push(now);
    this.draw();
  }

  pinch(id, before, now) {
    const other = [...this.down].find(([key]) => key !== id)[1];
    const [was, is] = [before, now].map((one) => Math.hypot(one.x - other.x, one.y - other.y) || 1);
    this.panel.zoomAt(was / is, other);
  }

  release(event) {
    if (!this.down.delete(event.pointerId)) return;
    const [trace, end] = [this.trace, this.at(event)];
    this.trace = null;
    this.draw();
    if (!trace) return;
    const still = event.pointerType === "touch" ? TAP : CLICK;
    const far = trace.some((one) => Math.hypot(one.x - trace[0].x, one.y - trace[0].y) > still);
    if (!far) this.click(end);
    else if (this.tool === "zoom") this.zoom(trace[0], end);
    else if (this.tool !== "pan") this.choose(this.region([...trace, end]), this.how);
  }

  click(place) {
    const id = this.panel.under(place);
    if (id >= 0) this.choose(this.panel.only(id), this.how);
  }

  zoom(...corners) {
    const box = boxOf(corners);
    if ([box.x, box.y].every(([low, high]) => high - low > CLICK)) this.panel.show(boxOf(corners.map((one) => this.panel.dataAt(one))));
  }

  region(trace) {
    const corners = trace.map((one) => this.panel.dataAt(one));
    const { x, y } = this.panel;
    if (this.tool === "select") return insideBox(x, y, boxOf([corners[0], corners.at(-1)]));
    return insidePolygon(x, y, { x: corners.map((one) => one.x), y: corners.map((one) => one.y) });
  }

  drop(event) {
    this.down.delete(event.pointerId);
    this.cancel();
  }

  // Give up what is being drawn; true where something was.
  cancel() {
    const drawn = Boolean(this.trace);
    this.trace = null;
    this.draw();
    return drawn;
  }

  draw() {
    const trace = this.tool === "pan" ? null : this.trace;
    if (!trace) return this.path.setAttribute("d", "");
    const [first, last] = [trace[0], trace.at(-1)];
    const box = `M${first.x} ${first.y}H${last.x}V${last.y}H${first.x}Z`;
    this.path.setAttribute("d", this.tool === "lasso" ? `M${trace.map((one) => `${one.x} ${one.y}`).join("L")}Z` : box);
  }

  twice(event) {
    event.preventDefault();
    if (["pan", "zoom"].includes(this.toolInUse())) this.panel.show(this.panel.home);
  }

  dispose() {
    this.abort.abort();
    this.drawing.remove();
  }
}

// Ranges between two corners.
const boxOf = (corners) => ({ x: span(corners.map((one) => one.x)), y: span(corners.map((one) => one.y)) });
