// Attention spaces side by side with one selection, which goes up as a bitset: 17 kB for 100,000 points.

import { isElsewhere } from "../ui/keyboard.js";
import { randomId } from "../ui/random_id.js";
import { HoverCard } from "./card.js";
import { Legend, paletteOf, toolbar } from "./controls.js";
import { Figure, plotlyFor } from "./figure.js";
import { bytes, countOf, fromBits, joined, toBits } from "./geometry.js";
import { many, Panel } from "./panel.js";
import { howOf } from "./pointer.js";
import { onAnotherRatio } from "./points.js";

async function fetchFloats(url) {
  const missing = (why) => new Error(`The points could not be loaded (${why}): reload the page.`);
  const lost = () => { throw missing("no connection"); };
  const response = await fetch(url).catch(lost);
  const type = response.headers.get("content-type") || "";
  if (!response.ok || type.includes("html")) throw missing(response.status);
  return new Float32Array(await response.arrayBuffer().catch(lost));
}

const css = (element, name, otherwise) => getComputedStyle(element).getPropertyValue(name).trim() || otherwise;

async function inflated(text) {
  const stream = new Blob([bytes(text)]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

class SpacePlot {
  constructor(parent) {
    this.root = parent.querySelector(".slim-space");
    this.host = this.root.querySelector(".slim-space-panels");
    this.status = this.root.querySelector(".slim-space-status");
    this.legend = new Legend(this.root.querySelector(".slim-space-legend"), {
      choose: (mask, event) => this.choose(mask, howOf(event)),
      hide: (hidden) => { for (const panel of this.panels) { panel.layer.hide?.(hidden); panel.draw(); } },
    });
    this.card = new HoverCard(this.root);
    this.panels = [];
    this.hands = { // what is done by the pointer in any panel
      tool: () => this.tool,
      choose: (region, how) => this.choose(region, how),
      hover: (id, event) => (id < 0 ? this.card.hide() : this.card.show(id, event.clientX, event.clientY)),
    };
    this.use("lasso");
    this.mask = null; // null = nothing selected, else one byte a point
    this.known = new Set(); // versions of the selection that came from here, or were taken over
    this.busy = Promise.resolve();
    this.abort = new AbortController();
    const redraw = () => { for (const panel of this.panels) panel.draw(); };
    this.watch = new ResizeObserver(redraw);
    this.watch.observe(this.host);
    onAnotherRatio(redraw, this.abort.signal);
    toolbar(this.root.querySelector(".slim-space-tools"), this.tool, {
      use: (tool) => this.use(tool),
      move: (change) => this.panels.forEach(change),
    });
    this.root.querySelector(".slim-space-clear").addEventListener("click", () => this.clear());
    const escape = (event) => { if (event.key === "Escape" && !isElsewhere(event)) this.cancel(); };
    document.addEventListener("keydown", escape, { signal: this.abort.signal });
  }

  update(data, setStateValue) {
    this.data = data;
    this.send = setStateValue;
    this.card.update(data.card, data.image);
    this.busy = this.busy.then(() => this.refresh()).catch((error) => { this.status.textContent = error.message; });
  }

  async refresh() {
    const { data } = this;
    const wanted = JSON.stringify(data.panels.map((panel) => panel.key));
    this.adopt(data.selection);
    if (wanted !== this.drawn) await this.build(wanted);
    await this.recolour();
    if (this.left) return;
    for (const panel of this.panels) panel.draw();
    this.count();
    this.root.dataset.ready = "true";
    requestAnimationFrame(() => { // after the panels' own frames
      this.root.dataset.painted = data.colouring.title;
      if (this.asked !== this.drawn) this.figures();
      this.asked = this.drawn;
    });
  }

  async build(wanted) {
    this.status.textContent = "Loading the points ...";
    const { panels } = this.data; // others may be asked for while these are on their way
    const points = await Promise.all(panels.map((panel) => fetchFloats(panel.points)));
    if (this.left) return;
    for (const panel of this.panels) panel.dispose();
    this.panels = [];
    this.painted = undefined;
    const drawn = (moved) => this.frame(moved);
    panels.forEach((about, at) => this.panels.push(new Panel(this.host, about, points[at], this.data, this.hands, drawn)));
    for (const panel of this.panels) panel.layer.select(this.mask);
    this.drawn = wanted;
    delete this.root.dataset.drawn;
    this.legend.canHide = false;
  }

  // Nothing waits for Plotly: until it is there, and where it does not come, the points are drawn by ourselves.
  async figures() {
    const { panels, data } = this;
    const plotly = await plotlyFor(data.plotly, data.n);
    while (panels.some((panel) => panel.pointer.down.size)) await new Promise((up) => addEventListener("pointerup", up, { once: true }));
    await (this.busy = this.busy.then(() => (panels === this.panels ? this.replace(plotly) : undefined)));
  }

  async replace(plotly) {
    const { panels } = this;
    for (const panel of plotly ? panels : []) {
      const figure = new Figure(plotly, panel, this.hands);
      const again = () => { if (panel.layer === figure) this.drawItself(panel, figure); };
      await figure.takeOver(panel.layer, again).then(
        () => (panels === this.panels ? panel.becomes(figure) : figure.dispose()), () => figure.dispose());
    }
    if (panels !== this.panels) return;
    this.legend.canHide = this.panels.every((panel) => panel.layer.hide);
    this.legend.conceal(this.legend.hidden);
    this.root.dataset.drawn = this.legend.canHide ? "plotly" : "own";
  }

  // Where a figure has lost what it is drawn with.
  drawItself(panel, { mask, codes, palette, colouring }) {
    panel.clear();
    panel.drawItself();
    panel.layer.recolour(codes, palette, colouring);
    panel.layer.select(mask);
    panel.draw();
    this.replace();
  }

  async recolour() {
    const { colouring } = this.data;
    const ink = css(this.root, "--st-text-color", "#1f2933");
    const { codes, ...about } = colouring; // the same points may have other names, by the answers of another campaign
    const painted = codes + JSON.stringify([about, ink]);
    if (painted === this.painted) return;
    this.codes = await inflated(colouring.codes);
    if (this.left) return;
    const palette = paletteOf(colouring.palette, ink);
    for (const panel of this.panels) panel.layer.recolour(this.codes, palette, colouring);
    this.legend.show(colouring, this.codes, ink);
    this.painted = painted;
  }

  adopt(selection) { // what the page has chosen itself, or kept from before; our own selections come back unread
    if (!selection || this.known.has(selection.version)) return;
    this.known.add(selection.version);
    this.set(selection.bits ? fromBits(selection.bits, this.data.n) : null);
  }

  choose(region, how) {
    const mask = joined(this.mask ?? new Uint8Array(this.data.n), region, how);
    this.set(mask);
    const version = randomId();
    this.known.add(version);
    this.send("selection", { n: this.data.n, version, count: this.chosen, bits: this.mask ? toBits(this.mask) : "" });
  }

  // Esc: first what is being drawn, then the selection.
  cancel() {
    const drawn = this.panels.filter((panel) => panel.pointer.cancel());
    if (!drawn.length && this.mask) this.clear();
  }

  clear() { this.choose(new Uint8Array(this.data.n), "replace"); }

  set(mask) {
    this.chosen = mask ? countOf(mask) : 0;
    this.mask = this.chosen ? mask : null;
    for (const panel of this.panels) { panel.layer.select(this.mask); panel.draw(); }
    this.count();
  }

  use(tool) {
    this.tool = tool;
    this.root.dataset.tool = tool;
    for (const panel of this.panels) panel.draw();
  }

  // After a frame of a space; in another view another point is under the pointer, or none.
  frame(moved) {
    if (moved) this.card.hide();
    this.say();
  }

  count() {
    this.root.querySelector(".slim-space-clear").hidden = !this.chosen;
    this.legend.count(this.mask);
    this.say();
  }

  // How many are selected, in words; only where they are others, as a screen reader says them each time.
  say() {
    const whole = many(this.data.n);
    const own = this.data.n > this.data.figures ? `, drawn without Plotly because they are more than ${many(this.data.figures)}` : "";
    const dense = this.panels.some((panel) => panel.layer.dense) ? " Drawn as density: zoom in to see each point." : "";
    const sentence = this.chosen
      ? `${many(this.chosen)} of ${whole} images selected.${dense}`
      : `${whole} images${own}. Draw a lasso around points, or click a legend entry.${dense}`;
    if (this.status.textContent !== sentence) this.status.textContent = sentence;
  }

  // What is still being loaded comes to a page that has been left: it finds no panel, and makes none.
  dispose() {
    this.left = true;
    this.watch.disconnect();
    this.abort.abort();
    for (const panel of this.panels) panel.dispose();
    this.panels = [];
    this.card.hide();
  }
}

export function mount({ data, parentElement, setStateValue }) {
  const plot = (parentElement.__slimSpace ??= new SpacePlot(parentElement));
  plot.update(data, setStateValue);
  return () => {
    if (plot.root.isConnected) return; // only another run of the page
    plot.dispose();
    delete parentElement.__slimSpace;
  };
}
