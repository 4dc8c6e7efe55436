// Draw where the object of an image is. A drawing is kept when one moves on, and when the page closes.
//
//   keys.js     names the action of a key; buttons name theirs
//   draw.js     applies the action: `act`
//   shapes.js   what is drawn on the image, and the way back
//   surface.js  shows it over the image
//   server.js   fetches an image, keeps a drawing

import { imageAddress } from "../ui/image_address.js";
import { randomId } from "../ui/random_id.js";
import { actionOf, isHeldTooLong } from "./keys.js";
import { Server } from "./server.js";
import { Shapes } from "./shapes.js";
import { Surface } from "./surface.js";

const NEAR_PX = 12; // on the screen: a click so near to the first corner closes the polygon, or takes a corner up
const FINGER_PX = 22; // the same of a finger
const DRAG_PX = 4; // a shorter drag is a click
const ROLL_PX = 12; // the same of a finger, which rolls while it taps
const SLOW_MS = 200; // an image that takes longer is announced
const STEP = 0.02; // of the longer side: how far an arrow moves the cross
const HINTS = {
  rectangle: "Drag from corner to corner. A click on a shape selects it.",
  polygon: "Click the corners. A double click, Enter or the first corner closes it.",
  selected: "Drag a corner to move it. Esc or a click elsewhere ends that.",
};
const UNFINISHED = {
  rectangle: "Set the other corner with Space, or cancel the shape with Esc.",
  polygon: "Close the shape with Enter, or cancel it with Esc.",
};

const STILL_HERE = "What you drew is still here: press Enter to try again.";
const LATER = "Open the image again in a moment.";

class Draw {
  constructor(parent) {
    this.root = parent.querySelector(".slim-draw");
    this.abort = new AbortController();
    this.find = (name) => this.root.querySelector(`[data-part="${name}"]`);
    const [stage, picture, surface, failure] = ["stage", "picture", "surface", "failure"].map(this.find);
    this.surface = new Surface({ stage, picture, surface, failure });
    this.server = new Server(() => this.trigger("renew", Date.now()));
    this.tool = "rectangle";
    this.drawn = new Set();
    this.listen();
  }

  listen() {
    const on = (target, type, handler, more = {}) => target.addEventListener(type, handler, { signal: this.abort.signal, ...more });
    on(document, "keydown", (event) => this.key(event), { capture: true });
    on(window, "pagehide", () => this.leave());
    for (const button of this.root.querySelectorAll("[data-act]")) on(button, "click", (event) => this.press(button, event));
    on(this.find("goto"), "submit", (event) => { event.preventDefault(); this.goto(); });
    const svg = this.surface.surface;
    on(svg, "pointerdown", (event) => this.down(event));
    on(svg, "pointermove", (event) => this.moved(event));
    on(svg, "pointerup", (event) => this.up(event));
    on(svg, "pointercancel", (event) => this.isUnderWay(event) && this.letGo());
    on(svg, "pointerleave", () => { if (!this.from) { this.to = undefined; this.draw(); } });
    // A quick stroke is a fling to the browser otherwise, which swallows the next tap, on a button too.
    on(svg, "touchmove", (event) => event.preventDefault(), { passive: false });
    on(svg, "dblclick", () => this.tool === "polygon" && this.shapes?.open.length && this.close());
    this.resized = new ResizeObserver(() => this.draw());
    this.resized.observe(svg);
  }

  // A run of the page's script.
  update(data, trigger) {
    Object.assign(this, { data, trigger });
    this.server.update(data);
    for (const row of data.drawn) this.drawn.add(row);
    this.find("row").max = data.last;
    this.drawProgress(data.progress);
    if (this.started) return;
    this.started = true;
    this.load(data.row !== null && data.row <= data.last ? data.row : this.nextOpen(-1) ?? data.rows[0]);
  }

  dispose() {
    this.leave();
    this.abort.abort();
    this.resized.disconnect();
  }

  async load(row) {
    this.asked = row;
    const turn = this.turn = Symbol(row);
    const isLate = () => this.asked !== row || this.turn !== turn; // another was asked for meanwhile, or this one again
    const slow = setTimeout(() => isLate() || this.say(`Loading image ${row} ...`), SLOW_MS);
    try {
      const image = await this.server.image(row);
      const picture = await this.server.picture(imageAddress(this.data.image, row)); // nobody draws on what is not there
      if (isLate()) return undefined;
      if (this.isAtWork) return this.go(row); // on the image before, while this one was on its way
      this.image = image;
      this.shapes = new Shapes(image.width, image.height, image.polygons);
      this.surface.open(image.width, image.height, picture, `Image ${row}, ${image.label}`);
    } catch (error) {
      if (isLate()) return undefined;
      if (this.isAtWork) { // it stays, and so does the image it is on
        this.asked = this.image.row;
        return this.say(this.why(error), true);
      }
      [this.image, this.shapes] = [{ row }, undefined];
      this.surface.fail(this.why(error));
    } finally {
      clearTimeout(slow);
    }
    this.say("");
    this.from = this.to = this.cross = this.taken = this.id = undefined;
    this.root.dataset.row = row;
    this.draw();
    return this.prefetch();
  }

  // Why a request failed, and what to do where it may not fail again.
  why({ message, passes }) { return passes ? `${message} ${this.isAtWork ? STILL_HERE : LATER}` : message; }

  // Something is drawn that is not kept yet, or under way.
  get isAtWork() { return Boolean(this.shapes?.changed || this.unfinished); }

  // What to do first about what is under way; undefined where nothing is.
  get unfinished() {
    if (this.shapes?.isDragged) return "Let go of the corner, then continue.";
    return this.shapes?.open.length ? UNFINISHED[this.tool] : undefined;
  }

  prefetch() {
    const next = this.nextOpen(this.image.row);
    if (next !== undefined) new Image().src = imageAddress(this.data.image, next);
  }

  // The row `by` places from an image in the order in which images are proposed.
  beside(row, by) {
    const { rows } = this.data;
    const at = rows.indexOf(row);
    return rows.at(((at < 0 ? (by > 0 ? -1 : 0) : at) + by) % rows.length);
  }

  // The next proposed image without a mask and without a drawing; undefined where there is none.
  nextOpen(row) {
    const open = this.data.rows.slice(0, this.data.open);
    const at = this.data.rows.indexOf(row);
    const ahead = [...open.slice(at + 1), ...open.slice(0, Math.max(at, 0))];
    return ahead.find((one) => !this.drawn.has(one));
  }

  key(event) {
    const [action, direction] = actionOf(event, this.root) ?? [];
    if (!action) return;
    event.preventDefault();
    event.stopPropagation();
    if (!isHeldTooLong(event, action)) this.act(action, direction);
  }

  // A press by hand leaves the focus to the image, so that Enter goes on instead of pressing again.
  press(button, event) {
    if (event.detail) this.surface.surface.focus({ preventScroll: true });
    this.act(button.dataset.act);
  }

  act(action, direction) {
    const { shapes } = this;
    if (this.taken !== undefined) this.letGo(); // a key in the middle of a drag is about what was there before
    if (action === "previous") return this.go(this.beside(this.asked, -1));
    if (action === "next") return this.go(this.beside(this.asked, 1));
    if (action === "enter") return this.enter();
    if (!shapes) return undefined;
    if (action === "rectangle" || action === "polygon") this.choose(action);
    if (action === "undo") shapes.undo();
    if (action === "remove") shapes.remove();
    if (action === "cancel") { shapes.cancel(); this.from = this.cross = this.taken = undefined; }
    if (action === "select") this.select();
    if (action === "nudge" && !shapes.nudge(this.surface.focused, direction)) return this.say("A shape needs an area.", true);
    if (action === "move") this.move(direction);
    if (action === "place") this.place();
    this.say("");
    return this.draw();
  }

  // The next shape in turn, and its first corner, for the arrows; Tab goes on from there.
  select() {
    this.shapes.selectNext();
    this.draw();
    this.surface.focusGrip(0);
  }

  choose(tool) {
    this.tool = tool;
    this.shapes.cancel();
    this.from = undefined;
  }

  async enter() {
    if (this.shapes?.open.length && this.tool === "polygon") return this.close();
    const row = this.image?.row;
    const next = this.data.open ? this.nextOpen(row) : this.beside(row, 1);
    if (next === undefined) return (await this.save()) && this.say("Every proposed image has a mask or a drawing.");
    return this.go(next);
  }

  close() {
    if (!this.shapes.close()) this.say("A polygon needs three corners and an area.", true);
    this.to = undefined;
    this.draw();
  }

  async go(row) {
    if (this.unfinished) {
      this.asked = this.image.row;
      return this.say(this.unfinished, true);
    }
    this.asked = row; // a key that is pressed while this is being saved goes on from there
    const isKept = await this.save();
    if (!isKept) this.asked = this.image?.row;
    return isKept && this.asked === row && this.load(row);
  }

  async goto() {
    const row = Number(this.find("row").value);
    if (!Number.isInteger(row) || row < 0 || row > this.data.last) return this.say(`Rows are 0 to ${this.data.last}.`, true);
    this.surface.surface.focus({ preventScroll: true });
    return this.go(row);
  }

  // As it is sent; sent again, it has the id it had.
  drawing() {
    this.id ??= { of: "", id: "" };
    const polygons = this.shapes.settled;
    const text = JSON.stringify(polygons);
    if (this.id.of !== text) this.id = { of: text, id: randomId() };
    return { row: this.image.row, polygons, id: this.id.id, after: this.image.seq };
  }

  // True where all that was drawn is kept, also what was drawn while the rest was on its way.
  async save() {
    while (this.shapes?.changed) {
      this.saving ??= this.send().finally(() => { this.saving = undefined; });
      if (!(await this.saving)) return false;
    }
    return true;
  }

  async send() {
    const [{ image, shapes }, sent] = [this, this.drawing()];
    this.say("Saving");
    try {
      const { seq, overtaken, progress } = await this.server.keep(sent);
      shapes.wereKept(JSON.stringify(sent.polygons));
      image.seq = seq;
      if (sent.polygons.length) this.drawn.add(image.row);
      else this.drawn.delete(image.row);
      this.drawProgress(progress);
      this.told = overtaken && `${overtaken} drew on image ${image.row} meanwhile: yours counts, theirs is kept.`;
      this.trigger("saved", seq);
      return true;
    } catch (error) {
      this.say(this.why(error), true);
      return false;
    }
  }

  // Also while it is being saved: a browser ends that request with the page, and the same drawing is kept once.
  leave() {
    if (this.shapes?.changed) this.server.keepLast(this.drawing());
  }

  down(event) {
    if (!this.shapes || event.button) return;
    if (this.pointer !== undefined && !this.isUnderWay(event)) return this.letGo(); // two fingers pinch: they draw nothing
    this.pointer = event.pointerId;
    this.surface.surface.setPointerCapture(event.pointerId);
    this.cross = undefined;
    const point = this.surface.point(event);
    this.taken = this.cornerAt(point, event);
    if (this.taken === undefined) this.from = { event, point };
  }

  // The corner of the selected shape under a pointer, if there is one and no shape is under way.
  cornerAt(point, event) {
    const place = this.shapes.open.length ? -1 : this.shapes.cornerAt(point, this.near(event));
    return place < 0 ? undefined : place;
  }

  near(event) { return (event.pointerType === "touch" ? FINGER_PX : NEAR_PX) / this.surface.scale; }

  // Whether what is drawn or dragged now is this pointer's.
  isUnderWay(event) { return event.pointerId === this.pointer; }

  letGo() {
    if (this.from && this.tool === "rectangle") this.shapes.open = [];
    this.shapes?.letGo();
    this.from = this.to = this.taken = this.pointer = undefined;
    this.draw();
  }

  moved(event) {
    if (!this.shapes || (this.pointer !== undefined && !this.isUnderWay(event))) return;
    const point = this.surface.point(event);
    this.surface.surface.classList.toggle("on-corner", this.taken !== undefined || (!this.from && this.cornerAt(point, event) !== undefined));
    if (this.taken !== undefined) {
      this.shapes.drag(this.taken, point);
      return this.draw();
    }
    this.to = this.shapes.clip(point);
    if (this.from && this.tool === "rectangle") this.shapes.open = [this.shapes.clip(this.from.point)];
    if (this.from || this.shapes.open.length) this.draw();
    return undefined;
  }

  up(event) {
    if (!this.isUnderWay(event)) return undefined;
    const { from, shapes, taken } = this;
    this.from = this.to = this.taken = this.pointer = undefined;
    if (taken !== undefined) {
      this.say(shapes.drop() ? "" : "A shape needs an area: the corner is back where it was.", true);
      this.draw();
      return this.surface.focusGrip(taken); // for the arrows
    }
    if (!from || !shapes) return undefined;
    const point = this.surface.point(event);
    const near = this.near(event);
    const way = Math.hypot(event.clientX - from.event.clientX, event.clientY - from.event.clientY);
    const isClick = way < (event.pointerType === "touch" ? ROLL_PX : DRAG_PX);
    if (this.tool === "polygon") {
      if (shapes.closes(point, near)) return this.close();
      shapes.corner(point, near);
    } else if (isClick) {
      shapes.open = [];
      shapes.select(point);
    } else {
      shapes.rectangle(from.point, point);
    }
    this.say("");
    return this.draw();
  }

  // The cross of the keyboard; it begins in the middle.
  move([x, y]) {
    const { width, height } = this.image;
    const step = Math.max(1, STEP * Math.max(width, height));
    const at = this.cross ?? [width / 2 - x * step, height / 2 - y * step];
    this.cross = this.shapes.clip([at[0] + x * step, at[1] + y * step]);
  }

  place() {
    if (!this.cross) return this.move([0, 0]);
    const { shapes } = this;
    if (this.tool === "rectangle" && shapes.open.length) return shapes.rectangle(shapes.open[0], this.cross);
    if (this.tool === "polygon" && shapes.closes(this.cross, 0)) return this.close();
    return shapes.corner(this.cross, 0);
  }

  say(sentence, alarm = false) {
    const line = this.find("status");
    line.textContent = sentence || this.told || "";
    line.classList.toggle("alarm", alarm);
    if (!sentence) this.told = "";
  }

  draw() {
    const { shapes, image } = this;
    if (!image) return;
    this.find("title").textContent = `Image ${image.row}`;
    this.find("about").textContent = shapes ? this.about() : "";
    if (shapes) this.surface.draw(shapes, this.tool, shapes.open.length ? this.to : undefined, this.cross);
    for (const name of ["rectangle", "polygon"]) this.button(name).setAttribute("aria-pressed", String(this.tool === name));
    // Not `disabled`: that takes the focus away, and the next Enter would go on to the next image.
    this.button("undo").setAttribute("aria-disabled", String(!shapes?.canUndo));
    this.button("remove").setAttribute("aria-disabled", String(!shapes?.canRemove));
    this.find("hint").textContent = HINTS[shapes?.corners.length ? "selected" : this.tool];
    this.find("enter").textContent = shapes?.changed ? "Save and next" : "Next image without a mask";
    this.root.dataset.shapes = shapes ? shapes.polygons.length : "";
  }

  about() {
    const { image, shapes } = this;
    const elsewhere = image.split === this.data.split ? "" : ` · of ${image.split}, so not counted here`; // any may be opened
    const what = (image.group || image.label) + elsewhere;
    if (shapes.changed) return `${what} · not saved yet`;
    if (image.by) return `${what} · drawn by ${image.by}`;
    return image.seq && shapes.polygons.length ? `${what} · drawn` : `${what} · ${image.masked ? "has a mask" : "no mask"}`;
  }

  button(action) { return this.root.querySelector(`[data-act="${action}"]`); }

  drawProgress({ n, scored, drawn, classes }) {
    const share = (n ? 100 * (scored / n) : 0).toFixed(1);
    this.find("coverage").textContent = `${drawn.toLocaleString("en")} drawn. Attention can be scored on ${scored.toLocaleString("en")} of ${n.toLocaleString("en")} ${this.data.split} images: ${share} %.`;
    this.find("classes").replaceChildren(...classes.map(([name, done, of]) => bar(name, done, of)));
  }
}

function bar(name, done, of) {
  const line = document.createElement("li");
  const [title, meter, count] = ["span", "progress", "span"].map((tag) => document.createElement(tag));
  title.textContent = title.title = name;
  Object.assign(meter, { max: of, value: done });
  meter.setAttribute("aria-label", name);
  count.textContent = `${done.toLocaleString("en")} of ${of.toLocaleString("en")}`;
  line.append(title, meter, count);
  return line;
}

export function mount({ data, parentElement, setTriggerValue }) {
  const app = (parentElement.slimDraw ??= new Draw(parentElement));
  app.update(data, setTriggerValue);
  return () => {
    if (app.root.isConnected) return; // only another run of the page
    app.dispose();
    delete parentElement.slimDraw;
  };
}
