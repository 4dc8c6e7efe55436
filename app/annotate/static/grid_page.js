// A page of the grid: its images, the values given, and the image the cursor is on. None has a value before somebody gives
// one, or the answers so far suggest one: what nobody has looked at is not right. And the marks that a reload finds again.

import { UNSURE } from "./answer_values.js";
import { entriesOf, put, remove } from "./storage.js";

export class GridPage {
  // `marks` (Marks): what is given and not confirmed, which the next page finds again; a suggestion is no mark.
  constructor(marks) {
    this.marks = marks;
    this.items = [];
    this.given = marks.load(); // item id -> a value of ANSWERS; without one: absent
    this.suggested = new Map(); // the same, of images that nobody has marked
    this.cursor = 0;
    this.since = 0; // when the page was turned, by performance.now()
  }

  get current() {
    return this.items[this.cursor];
  }

  // Keep what is still in the queue and fill up with what follows; true where this is another page.
  fit(queued, size, initial) {
    const held = new Set(queued.map((item) => item.id));
    this.items = this.items.filter((item) => held.has(item.id)).slice(0, size);
    const turned = !this.items.length || queued[0] !== this.items[0];
    if (turned) this.turn();
    const more = queued.filter((item) => !this.items.includes(item));
    this.items = [...this.items, ...more.slice(0, size - this.items.length)];
    for (const item of this.items) this.suggest(item, initial(item));
    this.cursor = Math.min(this.cursor, Math.max(0, this.items.length - 1));
    return turned;
  }

  turn() {
    this.items = [];
    this.cursor = 0;
    this.since = performance.now();
  }

  move(step) {
    this.cursor = Math.min(this.items.length - 1, Math.max(0, this.cursor + step));
  }

  suggest(item, value) {
    if (value !== null && !this.suggested.has(item.id)) this.suggested.set(item.id, value);
  }

  give(item, value) {
    this.given.set(item.id, value);
    this.marks.set(item.id, value);
  }

  // It is unsure, whatever was given or suggested.
  cannotShow(item) {
    this.forget(item);
    this.suggested.set(item.id, UNSURE);
  }

  forget(item) {
    this.given.delete(item.id);
    this.suggested.delete(item.id);
    this.marks.delete(item.id);
  }

  // The image at the cursor, and on to the next: what a key does to a single image.
  answer(value) {
    this.give(this.current, value);
    this.move(1);
  }

  // Wrong, which is what people look for; then right, and back.
  flip() {
    this.give(this.current, this.value(this.current) === 0 ? 1 : 0);
  }

  flipUnsure() {
    if (this.value(this.current) === UNSURE) this.forget(this.current);
    else this.give(this.current, UNSURE);
  }

  // All that have no value yet and are there to be seen: somebody has looked at the page.
  restRight(isShown = () => true) {
    for (const item of this.items) if (this.value(item) === null && isShown(item)) this.give(item, 1);
  }

  value(item) {
    return this.given.get(item.id) ?? this.suggested.get(item.id) ?? null;
  }

  count(value) {
    return this.items.filter((item) => this.value(item) === value).length;
  }

  // How many of these are marked and not confirmed.
  marked(items) {
    return items.filter((item) => this.given.has(item.id)).length;
  }

  // The answers of the page, which is done with; images without a value, and what is not `taken` of them, stay in the queue.
  confirm(taken = () => true) {
    const entries = this.items.map((item) => ({ item, value: this.value(item) }));
    const given = entries.filter(({ item, value }) => value !== null && taken(item, value));
    if (given.length) this.items = [];
    return given;
  }

  // A page that was confirmed is here again, as it was.
  restore(entries) {
    for (const { item, value } of entries) if (value !== null) this.give(item, value);
    this.items = [];
  }
}

// Marks of the grid that are not confirmed: kept in localStorage by campaign and annotator, so that a reload loses none.
// One entry a mark, so that two tabs never overwrite each other.
export class Marks {
  constructor(campaign, who) {
    this.prefix = `slim-mark:${campaign}:${who}:`;
  }

  // Item id -> value.
  load() {
    return new Map(entriesOf(this.prefix).map(([key, text]) => [Number(key.slice(this.prefix.length)), Number(text)]));
  }

  set(id, value) {
    put(this.prefix + id, String(value)); // without room the mark is still in this page
  }

  delete(id) {
    remove(this.prefix + id);
  }
}
