// The images this tab holds under leases, in the order in which they are shown, and what it knows of the rest.

const POLL_MS = 2500; // between two requests while there is no image to show
const MAX_ITEMS = 100; // images a page may hold

export class Queue {
  // `need()`: what the page shows now: {n: images to hold, shown: items on screen, guess}; `changed()`: there was a reply.
  constructor(connection, outbox, { need, changed }) {
    Object.assign(this, { connection, outbox, need, changed });
    this.items = [];
    this.after = -1;
    this.progress = null; // of the campaign: {total, done, answered, held}
    this.open = 0; // images that this annotator has not answered, as far as the server knows
    this.repliedAt = this.nextPoll = 0; // by performance.now()
  }

  get left() {
    return Math.max(0, this.open - this.outbox.net);
  }

  // The next images, if less than two thirds of what is needed are here, or in any case. Where a request is under way
  // that asks for less, another follows it.
  async refill(force = false) {
    const { n, guess } = this.need();
    const { id } = this.connection.session;
    if (this.asking) {
      this.asksAgain ||= n > this.asking.n || (guess && !this.asking.guess) || id !== this.asking.id;
      return;
    }
    if (!force && this.items.length > (2 * n) / 3) return;
    this.asking = { n, guess, id };
    this.asksAgain = false;
    try {
      const held = Math.min(MAX_ITEMS, Math.max(n, this.items.length) + this.outbox.waiting.length);
      const reply = await this.connection.next(held, this.after, guess);
      this.accept(reply, this.need().shown, this.outbox.pending);
      this.repliedAt = performance.now();
    } catch { /* the connection knows why */ }
    this.nextPoll = performance.now() + (this.connection.failures ? this.connection.patience : POLL_MS);
    this.asking = null;
    this.changed();
    if (this.asksAgain && !this.connection.failures) await this.refill(true);
  }

  // A reply: what is held now. What is on screen stays first; `pending`: item -> true where an answer to it is still
  // under way, false where an undo is, which the reply cannot know of.
  accept({ items, progress }, shown, pending) {
    this.progress = progress;
    this.open = progress.total - progress.done - progress.answered;
    for (const item of items) this.after = Math.max(this.after, item.position);
    const held = new Map(items.map((item) => [item.id, item]));
    const kept = this.items.filter((item) => shown.includes(item) || held.has(item.id) || pending.get(item.id) === false);
    for (const item of kept) {
      Object.assign(item, held.get(item.id)); // the same object stays on screen, and learns what is new
      held.delete(item.id);
    }
    this.items = [...kept, ...held.values()].filter((item) => pending.get(item.id) !== true);
  }

  remove(items) {
    this.items = this.items.filter((item) => !items.includes(item));
  }

  bringBack(items) {
    const ids = new Set(items.map((item) => item.id));
    this.items = [...items, ...this.items.filter((item) => !ids.has(item.id))];
  }

  // Images that were brought back by an undo here, but are leased to somebody else by now; returns those removed.
  dropLost(ids) {
    const { pending } = this.outbox;
    const lost = this.items.filter((item) => ids.includes(item.id) && !pending.has(item.id));
    this.remove(lost);
    return lost;
  }
}
