// What this annotator has answered, step by step, so that it can be undone: here, and before this page was opened.

const BATCH = 20; // older answers fetched at once
const FEW = 3; // with fewer steps left, older ones are fetched

export class History {
  // `changed()`: older answers have come.
  constructor(connection, outbox, changed) {
    Object.assign(this, { connection, outbox, changed });
    this.steps = []; // {entries: [{item, value}], ms an image, skip, number; old: answered before this page was opened}
    this.added = 0; // steps of this page
    this.complete = false; // the annotator's first answer of all is among the steps
  }

  get empty() {
    return !this.steps.length;
  }

  // The steps of this page that are answers.
  get answered() {
    return this.steps.filter((step) => !step.old && !step.skip);
  }

  // The images of the last n steps.
  last(n) {
    return this.steps.slice(-n).flatMap((step) => step.entries.map((entry) => entry.item));
  }

  add(entries, ms, skip = false) {
    this.steps.push({ entries, ms, skip, number: ++this.added });
  }

  // The last step, taken off; where there is none here, one from before this page, if there is one. What is answered
  // while the server is asked for that one comes after the undo.
  async take() {
    const last = this.added;
    if (this.empty) await this.fetchOlder();
    const place = this.steps.findLastIndex(({ old, number }) => old || number <= last);
    return place < 0 ? undefined : this.steps.splice(place, 1)[0];
  }

  prefetch() {
    if (this.steps.length < FEW) this.fetchOlder();
  }

  // Once at a time, until there are no more.
  fetchOlder() {
    if (!this.complete) this.fetching ??= this.fetchBatch().finally(() => { this.fetching = null; });
    return this.fetching;
  }

  // The server is asked once it has what the page before has left: else an older answer would be the last one here.
  async fetchBatch() {
    try {
      if (await this.outbox.isCaughtUp()) this.prepend(await this.connection.given(BATCH, this.oldest));
    } catch { /* the connection knows why */ }
    this.changed();
  }

  prepend({ given }) {
    const { pending } = this.outbox;
    const known = new Set(this.last(this.steps.length).map((item) => item.id));
    const older = given.filter((one) => !known.has(one.id) && !pending.has(one.id));
    this.steps.unshift(...older.reverse().map(({ value, seq, ...item }) => ({ entries: [{ item, value }], old: true })));
    this.complete = given.length < BATCH;
    this.oldest = given.at(-1)?.seq;
  }
}
