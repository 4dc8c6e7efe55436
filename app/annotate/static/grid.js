// Many images at once: all taken for right (or as the answers so far suggest), the wrong ones flipped, one key for all.

import { TILES } from "./keys.js";
import { VIEWS } from "./single.js";

const WORDS = { "1": "right", "0": "wrong", "-1": "unsure" };

export class Grid {
  constructor(app) {
    this.app = app;
    this.page = [];
    this.values = new Map(); // item id -> value
    this.at = 0;
    app.find("tiles").addEventListener("click", (event) => this.clicked(event), { signal: app.signal });
  }

  get shown() {
    return this.page;
  }

  get size() {
    return this.app.look.size;
  }

  get wanted() {
    return 2 * this.size;
  }

  pictures(item) {
    const { data, look } = this.app;
    const name = `Image ${item.row}`;
    if (VIEWS[look.view] === "contour") return [[data.tileContour.replace("ROW", item.row), name]];
    return [[data.tileImage.replace("ROW", item.row), name], [data.tileHeat.replace("ROW", item.row), "Where the model looks"]];
  }

  prefetch() {
    this.app.pictures.want(this.app.window.queue.slice(0, this.wanted).flatMap((item) => this.pictures(item)));
  }

  show() {
    const { app } = this;
    const ids = new Set(app.window.queue.map((item) => item.id));
    this.page = this.page.filter((item) => ids.has(item.id));
    if (!this.page.length || app.window.queue[0] !== this.page[0]) this.turn();
    const more = app.window.queue.filter((item) => !this.page.includes(item)).slice(0, this.size - this.page.length);
    this.page = [...this.page, ...more].slice(0, this.size);
    for (const item of this.page) if (!this.values.has(item.id)) this.values.set(item.id, app.guess(item));
    this.at = Math.min(this.at, Math.max(0, this.page.length - 1));
    this.draw();
  }

  turn() {
    this.page = this.app.window.queue.slice(0, this.size);
    this.at = 0;
    this.since = performance.now();
    this.app.tell(`A page of ${this.page.length} images, all taken for right. ${this.app.leftText()}`);
  }

  draw() {
    const tiles = this.app.find("tiles");
    const focused = tiles.getRootNode().activeElement?.classList.contains("tile");
    this.page.forEach((item, place) => {
      const tile = tiles.children[place] ?? tiles.appendChild(newTile());
      this.drawTile(tile, item, place);
    });
    while (tiles.children.length > this.page.length) tiles.lastChild.remove();
    if (focused) tiles.children[this.at]?.focus();
    const counts = [1, 0, -1].map((value) => this.page.filter((item) => this.values.get(item.id) === value).length);
    this.app.text("page-tally", `${counts[0]} right, ${counts[1]} wrong, ${counts[2]} unsure`);
  }

  drawTile(tile, item, place) {
    const { look, pictures, data } = this.app;
    const [over, heat] = this.pictures(item).map(([address, alt]) => pictures.get(address, alt));
    const view = VIEWS[look.view];
    const made = [over.image, ...(heat ? [heat.image] : [])];
    if (heat) heat.image.style.opacity = view === "overlay" ? look.opacity : view === "heat map" ? 1 : 0;
    tile.querySelector(".picture").replaceChildren(...made);
    const failed = [over, heat].some((picture) => picture?.state === "failed");
    if (failed) this.values.set(item.id, -1);
    else if (over.state !== "ready") over.told = [(picture) => picture.state === "failed" && this.page.includes(item) && this.draw()];
    const word = WORDS[this.values.get(item.id)];
    tile.dataset.value = word;
    tile.dataset.id = item.id;
    tile.classList.toggle("failed", failed);
    tile.tabIndex = place === this.at ? 0 : -1;
    tile.classList.toggle("at", place === this.at);
    tile.querySelector("kbd").textContent = TILES[place].toUpperCase();
    tile.querySelector(".word").textContent = failed ? "no image" : word;
    tile.setAttribute("aria-label", `${TILES[place]}: image ${item.row}${data.blind ? "" : `, label ${item.label}`}: ${word}`);
  }

  clicked(event) {
    const tile = event.target.closest(".tile");
    if (!tile) return;
    this.at = this.page.findIndex((item) => String(item.id) === tile.dataset.id);
    this.flip(event.shiftKey ? -1 : null);
  }

  flip(value = null) {
    const item = this.page[this.at];
    if (!item) return;
    const before = this.values.get(item.id);
    this.values.set(item.id, value === null ? (before === 1 ? 0 : 1) : before === value ? 1 : value);
    this.draw();
    this.app.tell(`Image ${item.row}: ${WORDS[this.values.get(item.id)]}`);
  }

  move(step) {
    this.at = Math.min(this.page.length - 1, Math.max(0, this.at + step));
    this.draw();
    this.app.find("tiles").children[this.at]?.focus();
  }

  act(name, tile) {
    const tiles = this.app.find("tiles");
    const row = getComputedStyle(tiles).gridTemplateColumns.split(" ").length;
    const steps = { next: 1, previous: -1, up: -row, down: row };
    if (name in steps) this.move(steps[name]);
    else if (name === "flip") this.flip();
    else if (name === "unsure") this.flip(-1);
    else if (name === "confirm") this.confirm();
    else if (name === "tile" && tile < this.page.length) { this.at = tile; this.flip(); }
  }

  confirm() {
    const { page, app } = this;
    if (!page.length) return;
    const ms = Math.round((performance.now() - this.since) / page.length);
    const answers = page.map((item) => [item, this.values.get(item.id)]);
    this.page = [];
    app.answer(answers, ms, { view: VIEWS[app.look.view], page: page.length });
  }

  // A page that was confirmed is here again, as it was.
  restore(entries) {
    for (const { item, value } of entries) if (value !== null) this.values.set(item.id, value);
    this.page = [];
  }
}

function newTile() {
  const tile = document.createElement("button");
  tile.type = "button";
  tile.className = "tile";
  tile.innerHTML = '<span class="picture"></span><kbd></kbd><span class="word"></span>';
  return tile;
}
