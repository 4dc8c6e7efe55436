// Answers on their way: each under a random id of its own, kept in localStorage until the server has acknowledged it,
// so that nothing is lost with a page or a connection, and nothing counts twice. Only the outbox sends them.

import { randomId } from "../ui/random_id.js";
import { entriesOf, put, remove } from "./storage.js";

const BATCH = 200;

// One entry of localStorage an answer, so that two tabs never overwrite each other; the key keeps their order.
export class Outbox {
  // `changed()`: sending has begun, or has failed or ended. `saved({net, lost, recovered})`: the server has answers:
  // so many more images count as answered by them; items that are leased to others by now; requests had failed before.
  constructor(campaign, who, connection, { changed, saved }) {
    Object.assign(this, { connection, changed, saved });
    this.prefix = `slim-answer:${campaign}:${who}:`;
    this.waiting = entriesOf(this.prefix).flatMap(([key, text]) => read(key, text) ?? []);
    this.pushedAt = parseInt(this.waiting.at(-1)?.key.slice(this.prefix.length)) || 0; // of the last one
    this.uncertain = this.waiting.length > 0; // the server may know some that wait: another page has left them
    this.lastLeft = this.waiting.at(-1)?.id; // the last of those
    this.volatile = false; // some are only in this page
    this.unknown = 0; // answers that this campaign could not take: it does not ask about their images
  }

  push(answer) {
    this.pushedAt = Math.max(this.pushedAt + 1, Date.now()); // a clock that is put back changes no order
    const kept = { id: randomId(), ...answer };
    const key = `${this.prefix}${this.pushedAt}-${kept.id}`;
    this.waiting.push({ ...kept, key });
    if (!put(key, JSON.stringify(kept))) this.volatile = true; // the answer is still kept in this page
  }

  // Send what waits, batch after batch; after a failure, again when the connection says so.
  send() {
    clearTimeout(this.retry);
    if (this.waiting.length) this.sending ??= this.sendAll().finally(() => { this.sending = null; });
    return this.sending;
  }

  async sendAll() {
    let saved = true;
    while (saved && this.waiting.length) {
      this.changed();
      saved = await this.sendBatch();
      if (saved) this.saved(saved);
    }
    this.changed();
    if (!saved && !this.stopped) this.retry = setTimeout(() => this.send(), this.connection.patience);
  }

  // Whether the server has all that the page before has left; it is sent now if it has not.
  async isCaughtUp() {
    if (this.hasLeft) await this.send();
    return !this.hasLeft;
  }

  get hasLeft() {
    return this.waiting.some(({ id }) => id === this.lastLeft);
  }

  async sendBatch() {
    const recovered = this.uncertain || this.connection.failures > 0;
    try {
      const { ids, lost, unknown } = await this.connection.answers(this.batch());
      this.unknown += unknown.length;
      const net = this.drop([...ids, ...unknown]);
      this.uncertain &&= this.waiting.length > 0;
      return { net, lost, recovered };
    } catch {
      this.uncertain = true; // only the acknowledgement may be lost
      return null;
    }
  }

  // The next page finds what is stored and sends it; what is only in this page is still tried from here.
  stop() {
    this.stopped = !this.volatile;
    if (this.stopped) clearTimeout(this.retry);
  }

  // These have arrived; returns how many more images count as answered by them.
  drop(ids) {
    const before = this.net;
    const gone = new Set(ids);
    for (const answer of this.waiting) if (gone.has(answer.id)) remove(answer.key);
    this.waiting = this.waiting.filter((answer) => !gone.has(answer.id));
    return before - this.net;
  }

  // How many more images count as answered once all of it has arrived.
  get net() {
    return this.waiting.reduce((sum, answer) => sum + (answer.net ?? 0), 0);
  }

  // Item -> true where an answer to it (or its skip) is under way, false where an undo is.
  get pending() {
    return new Map(this.waiting.map((answer) => [answer.item, answer.value !== null || Boolean(answer.skip)]));
  }

  batch() {
    return this.waiting.slice(0, BATCH).map(({ key, net, ...answer }) => answer);
  }
}

// What is kept under a key; nothing where it is no answer of ours, which must not keep the page from opening.
function read(key, text) {
  try {
    const { id, item, ...answer } = JSON.parse(text);
    return typeof id === "string" && Number.isInteger(item) ? { id, item, ...answer, key } : undefined;
  } catch {
    return undefined;
  }
}
