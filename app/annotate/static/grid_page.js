// A page of the grid: its images, the values given, and the image the cursor is on. None has a value before somebody gives
// one, or the answers so far suggest one: what nobody has looked at is not right.

export class GridPage {
  constructor() {
    this.items = [];
    this.values = new Map(); // item id -> a value of ANSWERS; without one: absent
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
    if (value !== null && !this.values.has(item.id)) this.values.set(item.id, value);
  }

  // The image at the cursor, and on to the next: what a key does to a single image.
  answer(value) {
    this.values.set(this.current.id, value);
    this.move(1);
  }

  // Wrong, which is what people look for; then right, and back.
  flip() {
    this.values.set(this.current.id, this.value(this.current) === 0 ? 1 : 0);
  }

  flipUnsure() {
    if (this.value(this.current) === -1) this.values.delete(this.current.id);
    else this.values.set(this.current.id, -1);
  }

  // All that have no value yet: somebody has looked at the page.
  restRight() {
    for (const item of this.items) this.suggest(item, 1);
  }

  value(item) {
    return this.values.get(item.id) ?? null;
  }

  count(value) {
    return this.items.filter((item) => this.value(item) === value).length;
  }

  // The answers of the page, which is done with; images without a value stay in the queue.
  confirm() {
    const entries = this.items.map((item) => ({ item, value: this.value(item) })).filter(({ value }) => value !== null);
    this.items = [];
    return entries;
  }

  // A page that was confirmed is here again, as it was.
  restore(entries) {
    for (const { item, value } of entries) if (value !== null) this.values.set(item.id, value);
    this.items = [];
  }
}
