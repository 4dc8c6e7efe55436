// The annotation page in the browser: one key an image, or a page of images at once. How a key becomes a saved answer:
//
//   1. keys.js         names the action of a key; buttons and swipes name theirs
//   2. annotator.js    applies the action: `act` finds it in ACTIONS, SINGLE or GRID, which call `answer`
//   3. outbox.js       keeps the answer in localStorage; the queue gives up the image, the history remembers the step
//   4. single.js       (or grid.js) draws the next image, which pictures.js has decoded before
//   5. outbox.js       sends what waits by connection.js, and again until the server has it; then it lets the answer go
//                      and says so: `saved`
//
// Each module knows those it calls and none that calls it: queue, history -> outbox -> connection; views are given
// what they draw.

import { ANSWERS, RIGHT, UNSURE } from "./answer_values.js";
import { Connection, Session } from "./connection.js";
import { GridPage, Marks } from "./grid_page.js";
import { History } from "./history.js";
import { actionOf, onSwipe } from "./keys.js";
import * as messages from "./messages.js";
import * as nameForm from "./name_form.js";
import { Outbox } from "./outbox.js";
import { Queue } from "./queue.js";
import { Parts, Screen } from "./screen.js";
import { loadPreferences, MOST_OPAQUE, savePreferences, showsAttention, viewOf, VIEWS } from "./views.js";

const HEARTBEAT_MS = 500;
const RENEW_LEASES_MS = 30000;
const RENEW_TOKEN_MS = 5000; // at most once
const IDLE_MS = 120000; // the annotator has left: the leases run out
const DECODED_AHEAD = 8;
const MOST_DECODED = 12; // with those that an undo brings back

const ACTIONS = { // in both modes, also where there is no image now
  keys: (app) => app.showKeys(!app.dialog.open),
  close: (app) => app.showKeys(false),
  rename: (app) => app.rename(),
  undo: (app) => app.undo(),
  view: (app) => app.prefer({ view: (app.preferences.view + 1) % VIEWS.length }),
  plain: (app) => app.prefer({ view: VIEWS.indexOf(viewOf(app.preferences) === "image" ? "overlay" : "image") }),
  beside: (app) => app.prefer({ beside: !app.preferences.beside }),
  grid: (app) => app.prefer({ grid: !app.preferences.grid }),
  more: (app) => app.preferOpacity(0.1),
  less: (app) => app.preferOpacity(-0.1),
};
const eachAnswer = (act) => Object.fromEntries(ANSWERS.map(({ word, value }) => [word, (app) => act(app, value)]));
const SINGLE = {
  ...eachAnswer((app, value) => app.answerImage(value)),
  skip: (app) => app.skip(),
};
const GRID = {
  next: (app) => app.moveCursor(1),
  previous: (app) => app.moveCursor(-1),
  up: (app) => app.moveCursor(-app.screen.grid.columns),
  down: (app) => app.moveCursor(app.screen.grid.columns),
  flip: (app) => app.flipTile((page) => page.flip()),
  ...eachAnswer((app, value) => app.answerTile(value)),
  rest: (app) => app.answerRest(),
  tile: (app, place) => app.flipTile((page) => page.flip(), place),
  confirm: (app) => app.answerPage(),
};

class Annotator {
  constructor(parent, data) {
    this.root = parent.querySelector(".slim-annotator");
    this.data = data;
    this.identity = identity(data);
    this.abort = new AbortController();
    this.signal = this.abort.signal;
    this.preferences = loadPreferences();
    this.parts = new Parts(this.root);
    this.dialog = this.parts.find("keys");
    this.session = new Session(data.campaign, data.who);
    this.connection = new Connection(data.campaign, this.session, data.urls, () => this.renewToken());
    this.outbox = new Outbox(data.campaign, data.who, this.connection, { changed: () => this.sendingChanged(), saved: (receipt) => this.saved(receipt) });
    this.queue = new Queue(this.connection, this.outbox, { need: () => this.need(), changed: () => this.draw() });
    this.history = new History(this.connection, this.outbox, () => this.drawHead());
    this.page = new GridPage(new Marks(data.campaign, data.who));
    this.screen = new Screen(this.parts, { expired: () => this.renewToken(), changed: () => this.preferences.grid && this.drawTiles() });
    this.lastInput = performance.now();
    this.root.dataset.ready = "";
    delete this.parts.find("stage").dataset.row;
    this.listen();
  }

  get refused() { return Boolean(this.connection.closed || this.connection.barred); } // no answer and no undo is taken
  get stopped() { return !this.queue.items.length || this.refused; }
  get naming() { return !this.parts.find("who").hidden; }

  listen() {
    const { parts } = this;
    const on = (target, type, handler, more = {}) => target.addEventListener(type, handler, { signal: this.signal, ...more });
    on(document, "keydown", (event) => this.key(event), { capture: true });
    on(window, "online", () => this.retryNow());
    on(window, "pagehide", () => this.leave());
    on(window, "pageshow", (event) => event.persisted && this.comeBack());
    on(document, "visibilitychange", () => document.visibilityState === "visible" && this.refill(true));
    on(this.root, "pointerdown", () => this.input());
    for (const button of this.root.querySelectorAll("[data-act]")) on(button, "click", (event) => this.press(button, event));
    onSwipe(parts.find("stages"), (name) => this.act(name), this.signal);
    on(parts.find("tiles"), "click", (event) => this.clickTile(event));
    on(parts.find("who"), "submit", (event) => { event.preventDefault(); this.submitName(); });
    on(parts.find("size"), "change", ({ target }) => { this.handBack(target); this.prefer({ size: Number(target.value) }); });
    on(parts.find("guess"), "change", ({ target }) => { this.handBack(target); this.preferGuess(target.checked); });
    this.beating = setInterval(() => this.heartbeat(), HEARTBEAT_MS);
  }

  // A run of the page's script: what it says, and the way to answer it.
  update(data, trigger) {
    const renewed = data.token !== this.data.token;
    this.data = data;
    this.trigger = trigger;
    this.connection.token = data.token;
    this.parts.fill(data, this.preferences);
    nameForm.settle(this.parts, data, trigger);
    if (!data.who) nameForm.open(this.parts);
    else if (!this.started) this.start();
    else if (renewed) this.retryNow();
    if (renewed && this.expired) this.draw(); // the addresses of the pictures have the token, too
    this.expired &&= !renewed;
  }

  async start() {
    this.started = true;
    this.parts.hide({ who: true, head: false });
    await this.refill(true);
    if (this.signal.aborted) return;
    this.root.dataset.ready = "true";
    this.outbox.send();
    this.history.prefetch();
  }

  rename() {
    if (this.outbox.waiting.length && !this.connection.barred) return this.drawStatus([messages.RENAME_LATER, messages.RENAME_LATER]);
    nameForm.open(this.parts, "");
  }

  submitName() {
    const name = nameForm.read(this.parts);
    if (name && name === this.data.who) this.start(); // it stays as it was
    else if (name) nameForm.submit(name, this.data.who, this.trigger);
  }

  // Actions

  key(event) {
    if (!this.root.isConnected || !this.started || this.naming) return;
    const [name, place] = actionOf(event, this.preferences.grid) ?? [];
    if (!name || (this.dialog.open && name !== "keys" && name !== "close") || (name === "close" && !this.dialog.open)) return;
    event.preventDefault();
    event.stopPropagation();
    this.input();
    if (!event.repeat || name === "more" || name === "less") this.act(name, place, event.timeStamp);
  }

  // A press by hand leaves the focus to the images: Space and Enter would press the button again.
  press(button, event) {
    if (event.detail) this.screen.takeFocus();
    this.act(button.dataset.act, undefined, event.timeStamp);
  }

  // The same of what was chosen by hand: a key would choose something else there.
  handBack(control) {
    if (!control.matches(":focus-visible")) this.screen.takeFocus();
  }

  // Somebody is here; after a long pause others may hold what this page held.
  input() {
    const idle = performance.now() - this.lastInput;
    this.lastInput = performance.now();
    if (idle > IDLE_MS) this.refill(true);
  }

  // `pressed`: when, by performance.now(). A slow machine hears later of a press than it was made: what came on screen
  // meanwhile is not what it was about.
  act(name, place, pressed = performance.now()) {
    const [mode, view] = this.preferences.grid ? [GRID, this.screen.grid] : [SINGLE, this.screen.single];
    if (name in ACTIONS) ACTIONS[name](this);
    else if (name in mode && !this.stopped && pressed >= view.paintedAt) mode[name](this, place);
  }

  showKeys(open) {
    if (open) this.dialog.showModal();
    else this.dialog.close();
  }

  prefer(change) {
    const { grid } = this.preferences;
    Object.assign(this.preferences, change);
    savePreferences(this.preferences);
    if (grid !== this.preferences.grid || change.size) this.page.items = [];
    if (grid !== this.preferences.grid) this.screen.single.clear();
    this.draw();
    this.refill();
  }

  preferOpacity(step) {
    const opacity = Math.round((this.preferences.opacity + step) * 10) / 10;
    this.prefer({ view: 0, opacity: Math.min(MOST_OPAQUE, Math.max(0.1, opacity)) });
  }

  preferGuess(guess) {
    this.prefer({ guess });
    this.page.suggested.clear();
    this.refill(true);
  }

  answerImage(value) {
    const { single } = this.screen;
    if (single.takes(value)) this.answer([{ item: single.item, value }], single.ms);
  }

  answerPage() {
    const entries = this.page.confirm((item, value) => this.takesTile(item, value));
    if (!entries.length) return this.screen.announce(messages.NOTHING_TO_CONFIRM);
    const ms = Math.round((performance.now() - this.page.since) / entries.length); // what stays open took its time, too
    this.answer(entries, ms, { page: entries.length });
  }

  // `ms`: an image.
  answer(entries, ms, seen = {}) {
    for (const { item, value } of entries) this.outbox.push({ item: item.id, seen: this.seen(seen), value, net: 1, ms });
    for (const { item } of entries) this.page.forget(item);
    this.history.add(entries, ms);
    this.queue.remove(entries.map((entry) => entry.item));
    this.moved();
  }

  skip() {
    const { item, ms } = this.screen.single;
    if (!this.screen.single.takes(UNSURE)) return; // nor is it called looked at
    this.outbox.push({ item: item.id, seen: this.seen(), value: null, skip: true, net: 0, ms });
    this.history.add([{ item, value: null }], ms, true);
    this.queue.remove([item]);
    this.moved();
  }

  async undo() {
    if (this.refused) return; // nobody sees what it would take back
    const step = await this.history.take();
    if (!step) return;
    const net = step.skip ? 0 : -1;
    for (const { item } of step.entries) this.outbox.push({ item: item.id, seen: this.seen(), value: null, net, ms: 0 });
    this.queue.bringBack(step.entries.map((entry) => entry.item));
    if (this.preferences.grid) this.page.restore(step.entries);
    this.screen.single.clear();
    this.moved();
    this.history.prefetch();
  }

  // What the image was shown as, kept with the answer.
  seen(more = {}) {
    const { opacity, beside, grid } = this.preferences;
    return { run: this.data.run, opacity, beside, grid, view: viewOf(this.preferences), ...more };
  }

  // Answers were pushed: the next image first, then the server.
  moved() {
    this.reported = "";
    this.draw();
    this.outbox.send();
    this.refill();
  }

  moveCursor(step) {
    this.page.move(step);
    this.drawTiles();
    this.screen.grid.focus(this.page.cursor);
  }

  answerTile(value) {
    const { current } = this.page;
    if (!current || !this.takesTile(current, value)) return;
    this.page.answer(value);
    this.drawTiles();
    this.screen.grid.focus(this.page.cursor);
    this.screen.announce(messages.flipped(current, value));
  }

  answerRest() {
    this.page.restRight((item) => this.takesTile(item, RIGHT));
    this.drawTiles();
  }

  flipTile(flip, place = this.page.cursor) {
    const item = this.page.items[place];
    if (!item) return;
    this.page.cursor = place;
    if (this.takesTile(item, RIGHT)) flip(this.page);
    this.drawTiles();
    this.screen.announce(messages.flipped(this.page.current, this.page.value(this.page.current)));
  }

  takesTile(item, value) {
    return this.screen.grid.takes(item, value, this.data, this.preferences);
  }

  clickTile(event) {
    const place = this.screen.grid.placeOf(event.target);
    if (place >= 0) this.flipTile((page) => (event.shiftKey ? page.flipUnsure() : page.flip()), place);
  }

  // The server

  refill(force = false) {
    return this.started && !this.signal.aborted ? this.queue.refill(force) : undefined;
  }

  // What the queue is asked for: enough for a fast hand, and fewer near the end, so that others find something too.
  need() {
    const { grid, size, guess } = this.preferences;
    if (grid) return { n: 2 * size, shown: this.page.items, guess };
    const n = this.queue.progress ? Math.min(24, Math.max(4, Math.ceil(this.queue.left / 4))) : 12;
    return { n, shown: this.queue.items.slice(0, 1), guess: false };
  }

  saved({ net, lost, recovered }) {
    this.queue.open -= net;
    if (this.queue.dropLost(lost).length) {
      this.draw();
      this.screen.announce(messages.LOST);
    }
    const empty = !this.outbox.waiting.length && !this.queue.items.length;
    if (recovered || empty) this.refill(true); // what arrived twice is counted once
  }

  sendingChanged() {
    if (this.refused) this.draw();
    else this.drawStatus();
  }

  retryNow() {
    this.outbox.send();
    this.queue.nextPoll = 0;
  }

  // The page's script knows who is here, and signs another token.
  renewToken() {
    this.expired = true;
    const now = performance.now();
    if (now - (this.renewedAt ?? -Infinity) <= RENEW_TOKEN_MS) return;
    this.renewedAt = now;
    this.trigger("renew", Math.round(now));
  }

  heartbeat() {
    if (!this.root.isConnected) return this.dispose();
    if (!this.started) return;
    const now = performance.now();
    const here = document.visibilityState === "visible" && now - this.lastInput < IDLE_MS;
    if (this.stopped || this.connection.failures) {
      if (now >= this.queue.nextPoll) this.refill(true);
    } else if (here && now - this.queue.repliedAt > RENEW_LEASES_MS) this.refill(true);
    if (this.stopped) this.drawRest();
  }

  // Drawing

  draw() {
    if (this.signal.aborted || this.naming) return;
    const { stopped, screen, data, preferences } = this;
    screen.show(stopped ? "rest" : preferences.grid ? "grid" : "work");
    if (stopped) this.drawRest();
    else if (preferences.grid) this.drawPage();
    else this.drawImage();
    screen.prefetch(this.near(), data, preferences);
    this.drawHead();
    this.drawStatus();
    screen.keepFocus();
  }

  drawImage() {
    const [item] = this.queue.items;
    const turned = this.screen.single.draw(item, this.data, this.preferences);
    if (turned) this.screen.announce(messages.image(item, this.queue.left, this.data.blind));
  }

  drawPage() {
    const { guess, size } = this.preferences;
    const { length } = this.page.items;
    const turned = this.page.fit(this.queue.items, size, (item) => (guess ? item.guess : null) ?? null);
    if (turned) this.screen.grid.turn();
    if (turned && !showsAttention(this.preferences)) this.preferences.view = 0; // nobody confirms what was not shown
    if (turned || this.page.items.length !== length) this.screen.announce(messages.page(this.page.items.length, this.queue.left));
    this.drawTiles();
  }

  drawTiles() {
    this.screen.grid.draw(this.page, this.data, this.preferences);
    this.drawStatus();
  }

  // The images that come next, or came last.
  near() {
    const { items } = this.queue;
    if (this.preferences.grid) return items.slice(0, 2 * this.preferences.size);
    return [...items.slice(0, DECODED_AHEAD), ...this.history.last(2)].slice(0, MOST_DECODED);
  }

  drawHead() {
    const { refused } = this;
    const waits = !refused && !this.connection.problem; // else the rest says why there is nothing
    if (!this.signal.aborted) this.screen.drawHead(this.queue, this.history, this.data, { waits, refused });
  }

  drawStatus(message = messages.status(this.outbox, this.connection, this.page.marked(this.queue.items))) {
    if (!this.signal.aborted) this.screen.drawStatus(message, this.outbox.waiting.length);
  }

  // Why there is no image now.
  drawRest() {
    const unsent = this.outbox.waiting.length;
    const since = (performance.now() - this.queue.repliedAt) / 1000;
    const [title, sentence, finished] = messages.rest(this.queue, this.connection, { unsent, since, overlap: this.data.overlap });
    this.screen.drawRest(title, sentence);
    if (!finished || unsent || this.reported === title) return;
    this.reported = title;
    this.trigger("done", this.history.steps.length);
  }

  // Its end

  leave() {
    this.session.close();
    if (this.started) this.connection.farewell(this.outbox.batch());
  }

  comeBack() {
    this.session.open();
    this.queue.after = -1;
    this.refill(true);
  }

  // `replaced`: another one in this page takes over what this one held.
  dispose(replaced = false) {
    if (this.signal.aborted) return;
    this.abort.abort();
    this.outbox.stop();
    this.screen.stop();
    clearInterval(this.beating);
    living.delete(this);
    if (replaced) this.session.close();
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
