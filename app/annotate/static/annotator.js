// The annotation page in the browser: one key an image, or a page of images at once.
// Answers go straight to the server by POST (outbox.js), images are held under leases (window.js) and
// decoded before they are shown (pictures.js). Image and heat map lie on each other: the overlay is the heat
// map's opacity, so changing it loads nothing.

import { fill } from "./frame.js";
import { Grid } from "./grid.js";
import { action } from "./keys.js";
import { Exchange } from "./exchange.js";
import { remember, remembered } from "./look.js";
import * as names from "./name.js";
import { Outbox, randomId } from "./outbox.js";
import { Pictures } from "./pictures.js";
import { Single, VIEWS } from "./single.js";
import { Window } from "./window.js";
import * as words from "./words.js";

const BEAT_MS = 500;
const SHOWN_MS = 300; // from the first image to what else the page has to draw
const RENEW_MS = 30000;
const IDLE_MS = 120000; // nobody looks any more: the images are not kept

class Annotator {
  constructor(parent, data) {
    this.root = parent.querySelector(".slim-annotator");
    this.data = data;
    this.identity = identity(data);
    this.root.dataset.ready = "";
    delete this.find("stage").dataset.row;
    this.abort = new AbortController();
    this.signal = this.abort.signal;
    this.look = remembered();
    this.outbox = new Outbox(data.campaign, data.who);
    this.window = new Window(data.campaign, data.who);
    this.exchange = new Exchange(this);
    this.pictures = new Pictures(() => this.exchange.renew());
    this.history = []; // steps: {entries: [{item, value}], skip}
    this.made = [];
    this.lastInput = performance.now();
    this.single = new Single(this);
    this.grid = new Grid(this);
    this.mode = this.look.grid ? this.grid : this.single;
    this.listen();
  }

  find(name) { return this.root.querySelector(`[data-part="${name}"]`); }
  button(name) { return this.root.querySelector(`[data-act="${name}"]`); }
  text(name, text) { this.find(name).textContent = text; }
  tell(text) { this.text("live", text); }
  get stopped() { return !this.window.queue.length || Boolean(this.exchange.closed || this.exchange.barred); }
  leftNow() { return Math.max(0, (this.window.open ?? 0) - this.outbox.net); }
  leftText() { return words.left(this.leftNow()); }
  guess(item) { return (this.look.guess ? item.guess : null) ?? 1; }

  listen() {
    const on = (target, type, handler, more = {}) => target.addEventListener(type, handler, { signal: this.signal, ...more });
    on(document, "keydown", (event) => this.key(event), { capture: true });
    on(window, "online", () => { this.exchange.soon(); });
    on(window, "pagehide", () => this.leave());
    on(window, "pageshow", (event) => event.persisted && this.comeBack());
    on(document, "visibilitychange", () => document.visibilityState === "visible" && this.exchange.refill(true));
    on(this.root, "pointerdown", () => this.input());
    for (const button of this.root.querySelectorAll("[data-act]")) on(button, "click", () => this.act(button.dataset.act));
    on(this.find("who"), "submit", (event) => { event.preventDefault(); names.give(this); });
    on(this.find("size"), "change", (event) => this.setLook({ size: Number(event.target.value) }));
    on(this.find("guess"), "change", (event) => { this.setLook({ guess: event.target.checked }); this.grid.values.clear(); this.exchange.refill(true); });
    this.beating = setInterval(() => this.beat(), BEAT_MS);
  }

  update(data, trigger) {
    const renewed = data.token !== this.data.token;
    this.data = data;
    this.trigger = trigger;
    fill(this);
    names.judged(this);
    if (!data.who) names.ask(this);
    else if (!this.started) this.start();
    else if (renewed) this.exchange.soon();
  }

  rename() {
    if (this.outbox.waiting.length && !this.exchange.barred) return this.say("Your answers are sent first, then the name can be changed", true);
    names.ask(this, "");
    this.find("who-name").focus();
  }

  async start() {
    this.started = true;
    this.find("who").hidden = true;
    this.find("head").hidden = false;
    await this.exchange.refill(true);
    if (this.signal.aborted) return;
    this.root.dataset.ready = "true";
    this.exchange.flush();
    this.exchange.earlier();
    setTimeout(() => this.signal.aborted || this.trigger("shown", 1), SHOWN_MS);
  }

  key(event) {
    if (!this.root.isConnected || !this.started || !this.find("who").hidden) return;
    const [name, tile] = action(event, this.mode === this.grid ? "grid" : "single") ?? [];
    const dialog = this.find("keys");
    if (!name || (dialog.open && name !== "keys" && name !== "close") || (name === "close" && !dialog.open)) return;
    event.preventDefault();
    event.stopPropagation();
    this.input();
    if (!event.repeat || name === "more" || name === "less") this.act(name, tile);
  }

  // Somebody is here; after a long pause what was held may be others' by now.
  input() {
    const idle = performance.now() - this.lastInput;
    this.lastInput = performance.now();
    if (idle > IDLE_MS) this.exchange.refill(true);
  }

  act(name, tile) {
    const dialog = this.find("keys");
    if (name === "keys") dialog.open ? dialog.close() : dialog.showModal();
    else if (name === "close") dialog.close();
    else if (name === "rename") this.rename();
    else if (name === "undo") this.undo();
    else if (name === "view") this.setLook({ view: (this.look.view + 1) % VIEWS.length });
    else if (name === "beside") this.setLook({ beside: !this.look.beside });
    else if (name === "grid") this.setLook({ grid: !this.look.grid });
    else if (name === "more" || name === "less") {
      const opacity = this.look.opacity + (name === "more" ? 0.1 : -0.1);
      this.setLook({ view: 0, opacity: Math.min(0.9, Math.max(0.1, Math.round(opacity * 10) / 10)) });
    } else if (!this.stopped) this.mode.act(name, tile);
  }

  setLook(change) {
    Object.assign(this.look, change);
    remember(this.look);
    const mode = this.look.grid ? this.grid : this.single;
    if (mode !== this.mode) { this.mode = mode; this.grid.page = []; this.single.item = null; }
    if (change.size) this.grid.page = [];
    this.show();
    this.exchange.refill();
  }

  answer(pairs, ms, seen) {
    for (const [item, value] of pairs) this.push(item, { value, net: 1, ms, seen });
    this.history.push({ entries: pairs.map(([item, value]) => ({ item, value })) });
    this.made.push([pairs.length, ms]);
    this.window.remove(pairs.map(([item]) => item));
    this.moved();
  }

  skip(item, ms) {
    this.push(item, { value: null, skip: true, net: 0, ms, seen: { view: VIEWS[this.look.view] } });
    this.history.push({ entries: [{ item, value: null }], skip: true });
    this.window.remove([item]);
    this.moved();
  }

  async undo() {
    if (!this.history.length) await this.exchange.earlier();
    const step = this.history.pop();
    if (!step) return;
    for (const { item } of step.entries) this.push(item, { value: null, net: step.skip ? 0 : -1, ms: 0, seen: {} });
    if (!step.skip) this.made.pop();
    this.window.bringBack(step.entries.map((entry) => entry.item));
    this.mode.restore?.(step.entries);
    this.single.item = null;
    this.moved();
    if (this.history.length < 3) this.exchange.earlier();
  }

  push(item, { seen, ...answer }) {
    const { opacity, beside } = this.look;
    const shown = { run: this.data.run, opacity, beside, grid: this.mode === this.grid, ...seen };
    this.outbox.push({ id: randomId(), item: item.id, seen: shown, ...answer });
  }

  moved() {
    this.toldDone = false;
    this.show();
    this.exchange.flush();
    this.exchange.refill();
  }

  beat() {
    if (!this.root.isConnected) return this.dispose();
    if (!this.started) return;
    const { exchange } = this;
    const now = performance.now();
    if (this.outbox.waiting.length && now >= exchange.nextTry) exchange.flush();
    const looking = document.visibilityState === "visible" && now - this.lastInput < IDLE_MS;
    const empty = this.stopped;
    if ((empty || exchange.failures) && now >= exchange.nextAsk) exchange.refill(true);
    else if (looking && now - exchange.asked > RENEW_MS) exchange.refill(true);
    if (empty) this.drawRest();
  }

  say(text, alarm = true) {
    const [line, loud] = text ? [text, alarm] : words.connection(this.outbox.waiting.length, this.exchange, this.outbox.volatile);
    const status = this.find("status");
    if (status.textContent !== line) status.textContent = line;
    status.classList.toggle("alarm", loud);
    this.root.dataset.unsent = String(this.outbox.waiting.length);
  }

  show() {
    if (!this.find("who").hidden) return;
    const empty = this.stopped;
    const grid = this.mode === this.grid;
    this.find("work").hidden = empty || grid;
    this.find("grid").hidden = empty || !grid;
    this.find("rest").hidden = !empty;
    if (empty) this.drawRest();
    else this.mode.show();
    this.mode.prefetch();
    this.head();
    this.say();
    this.keepFocus();
  }

  head() {
    const total = this.window.standing?.total ?? 0;
    const n = this.leftNow();
    this.text("count", this.window.standing ? words.left(n) : "Loading ...");
    this.find("bar").max = Math.max(total, 1);
    this.find("bar").value = total - n;
    this.text("share", this.window.standing ? words.share(total, n, this.data) : "");
    this.text("pace", words.pace(this.made));
    this.text("tally", words.tally(this.history.filter((step) => !step.old)));
    for (const button of this.root.querySelectorAll('[data-act="undo"]')) button.disabled = !this.history.length && this.exchange.first;
  }

  drawRest() {
    const { standing, open } = this.window;
    const unsent = this.outbox.waiting.length;
    const { closed, problem, refused, asked } = this.exchange;
    const state = { standing, open, closed, problem, refused, unsent, overlap: this.data.overlap };
    const [title, sentence, finished] = words.rest(state, (performance.now() - asked) / 1000);
    if (this.find("rest-title").textContent !== title) { this.text("rest-title", title); this.tell(title); }
    this.text("rest-text", sentence);
    if (finished && !unsent && !this.toldDone) { this.toldDone = true; this.trigger("done", this.history.length); }
  }

  // A part that was hidden takes its focus along: then it comes here, never away from a field elsewhere.
  keepFocus() {
    if (document.activeElement === document.body) this.root.focus({ preventScroll: true });
  }

  leave() {
    this.window.leave();
    if (this.started) this.exchange.farewell();
  }

  comeBack() {
    const { queue, standing, open } = this.window;
    this.window = Object.assign(new Window(this.data.campaign, this.data.who), { queue, standing, open });
    this.exchange.refill(true);
  }

  // `replaced`: another one in this page goes on with what this one held.
  dispose(replaced = false) {
    if (this.signal.aborted) return;
    this.abort.abort();
    clearInterval(this.beating);
    living.delete(this);
    if (replaced) this.window.leave();
    else this.leave();
  }
}

const living = new Set();
const identity = (data) => `${data.campaign}:${data.who ?? ""}`;

export function mount({ data, parentElement, setTriggerValue }) {
  let app = parentElement.__slimAnnotator;
  if (app && (app.identity !== identity(data) || app.signal.aborted)) { app.dispose(); app = undefined; }
  if (!app) {
    for (const other of living) other.dispose(other.identity === identity(data)); // Streamlit drew the page anew
    app = new Annotator(parentElement, data);
    living.add(app);
  }
  parentElement.__slimAnnotator = app;
  app.update(data, setTriggerValue);
  return () => {
    if (app.root.isConnected) return;
    app.dispose();
    if (parentElement.__slimAnnotator === app) delete parentElement.__slimAnnotator;
  };
}
