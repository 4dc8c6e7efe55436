// One space: its points, the part of them in view, and which point lies at a place.

import { element } from "./controls.js";
import { fit, nearest } from "./geometry.js";
import { Pointer } from "./pointer.js";
import { PointLayer } from "./points.js";

export const NEAR = 9; // pixels from a point at which the pointer means it
const STEP = 0.15; // share of the view an arrow key moves by

export const many = (n) => n.toLocaleString("en");

export class Panel {
  // `above`: points in view from which density is drawn; `hands`: what a Pointer calls; `drawn(moved)`: called after
  // each frame; whether it shows another view.
  constructor(host, about, points, { n, above }, hands, drawn) {
    Object.assign(this, { about, above, hands, drawn });
    [this.x, this.y] = [points.subarray(0, n), points.subarray(n, 2 * n)];
    this.box = element("figure", "slim-space-panel");
    this.host = element("div", "slim-space-plot");
    this.host.tabIndex = 0;
    this.host.setAttribute("role", "img");
    this.host.setAttribute("aria-label", `${about.title}. ${many(n)} images as points; the table below counts them.`);
    this.box.append(element("figcaption", "", about.title), this.host);
    this.memory = `slim-space ${about.key}`;
    this.home = fit(this.x, this.y);
    this.view = this.remembered() ?? this.home;
    this.drawItself();
    this.host.addEventListener("keydown", (event) => this.key(event));
    this.host.addEventListener("blur", () => { delete this.host.dataset.pressed; });
    host.append(this.box);
  }

  // A layer draws the points, and a pointer chooses them; a figure is both.
  drawItself() {
    this.layer = new PointLayer(this.host, this.x, this.y, this.above);
    this.pointer = new Pointer(this, this.hands);
  }

  becomes(figure) {
    this.clear();
    this.layer = this.pointer = figure;
  }

  clear() { for (const one of new Set([this.layer, this.pointer])) one.dispose(); }

  remembered() {
    try {
      const kept = JSON.parse(sessionStorage.getItem(this.memory));
      return [...kept.x, ...kept.y].every(Number.isFinite) ? kept : null;
    } catch { return null; } // nothing kept, or no storage allowed
  }

  show(view) {
    this.view = view;
    try { sessionStorage.setItem(this.memory, JSON.stringify(view)); } catch { /* no storage allowed: not kept */ }
    this.draw();
  }

  get width() { return this.view.x[1] - this.view.x[0]; }
  get height() { return this.view.y[1] - this.view.y[0]; }

  placeOf(event) {
    const box = this.host.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  }

  // Where a place of the panel, in pixels from its top left corner, lies among the points.
  dataAt({ x, y }) {
    const box = this.host.getBoundingClientRect();
    return { x: this.view.x[0] + (x / box.width) * this.width, y: this.view.y[1] - (y / box.height) * this.height };
  }

  zoom(factor) {
    const box = this.host.getBoundingClientRect();
    this.zoomAt(factor, { x: box.width / 2, y: box.height / 2 });
  }

  // Below 1 the view becomes smaller; the place given in pixels stays where it is.
  zoomAt(factor, place) {
    const still = this.dataAt(place);
    const scaled = ([low, high], fixed) => [fixed + (low - fixed) * factor, fixed + (high - fixed) * factor];
    const whole = this.home.x[1] - this.home.x[0];
    if ((factor > 1 && this.width > 20 * whole) || (factor < 1 && this.width < whole / 20_000)) return;
    this.show({ x: scaled(this.view.x, still.x), y: scaled(this.view.y, still.y) });
  }

  // Move the view by shares of itself.
  shift(dx, dy) {
    this.show({ x: this.view.x.map((one) => one + dx * this.width), y: this.view.y.map((one) => one + dy * this.height) });
  }

  drag(x, y) {
    const box = this.host.getBoundingClientRect();
    this.shift(-x / box.width, y / box.height);
  }

  draw() {
    this.waiting ??= requestAnimationFrame(() => {
      this.waiting = undefined;
      const moved = this.layer.view !== this.view;
      this.layer.draw(this.view);
      this.drawn(moved);
    });
  }

  // The point at a place of the panel; -1 where there is none.
  under(place) {
    if (this.layer.dense) return -1;
    const { x, y } = this.dataAt(place);
    const box = this.host.getBoundingClientRect();
    return nearest(this.x, this.y, x, y, (NEAR / box.width) * this.width, (NEAR / box.height) * this.height,
      (id) => this.layer.shows?.(id) ?? true);
  }

  // The region of one point.
  only(id) {
    const region = new Uint8Array(this.x.length);
    region[id] = 1;
    return region;
  }

  // By the pointer: the keys are for this space now, without the ring of the keyboard.
  reached() {
    this.host.dataset.pressed = "true";
    this.host.focus({ preventScroll: true, focusVisible: false });
  }

  // With Ctrl (as two fingers on a touch pad have it), or while the view is what is dragged; else the page scrolls.
  wheel(event, tool) {
    if (!event.ctrlKey && !event.metaKey && tool !== "pan") return;
    event.preventDefault();
    const pixels = event.deltaMode ? event.deltaY * 30 : event.deltaY;
    this.zoomAt(Math.exp(Math.max(-200, Math.min(200, pixels)) * 0.002), this.placeOf(event));
  }

  key(event) {
    const moves = { ArrowLeft: [-STEP, 0], ArrowRight: [STEP, 0], ArrowUp: [0, STEP], ArrowDown: [0, -STEP] };
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (moves[event.key]) this.shift(...moves[event.key]);
    else if (event.key === "+") this.zoom(0.7);
    else if (event.key === "-") this.zoom(1 / 0.7);
    else if (event.key === "0") this.show(this.home);
    else return;
    event.preventDefault();
  }

  dispose() {
    cancelAnimationFrame(this.waiting);
    this.clear();
    this.box.remove();
  }
}
