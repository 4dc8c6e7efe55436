// The images this tab holds under leases, in the order in which they are shown, and what it knows of the rest.

import { randomId } from "./outbox.js";

const STORED = "slim-tab:"; // only while no page of the tab is open: a duplicated tab must not share a session
const MOST = 10; // pages gone on from

export class Window {
  constructor(campaign, who) {
    this.name = `${STORED}${campaign}:${who}`;
    this.session = randomId();
    this.was = this.take();
    this.queue = [];
    this.after = -1;
    this.standing = null;
  }

  // The sessions of the pages before this one, whose images it takes over.
  take() {
    try {
      const was = JSON.parse(sessionStorage.getItem(this.name)) ?? [];
      sessionStorage.removeItem(this.name);
      return was;
    } catch {
      return [];
    }
  }

  // The page closes: the next page of this tab goes on with what this one held, or was still about to take over.
  leave() {
    try {
      sessionStorage.setItem(this.name, JSON.stringify([...this.was, this.session].slice(-MOST)));
    } catch { /* the leases then run out by themselves */ }
  }

  get current() {
    return this.queue[0];
  }

  request(campaign, n, guess) {
    const body = { campaign, session: this.session, n, after: this.after };
    if (this.was.length) body.was = this.was;
    if (guess) body.guess = true;
    return body;
  }

  // A reply: what is held now. What is on screen stays first; `pending`: item -> true where an answer to it is still
  // under way, false where an undo is, which the reply cannot know of.
  accept({ items, standing }, shown, pending) {
    this.was = [];
    this.standing = standing;
    this.open = standing.total - standing.done - standing.answered;
    for (const item of items) this.after = Math.max(this.after, item.position);
    const held = new Map(items.map((item) => [item.id, item]));
    const kept = this.queue.filter((item) => shown.includes(item) || held.has(item.id) || pending.get(item.id) === false);
    for (const item of kept) {
      Object.assign(item, held.get(item.id)); // the same object stays on screen, and learns what is new
      held.delete(item.id);
    }
    this.queue = [...kept, ...held.values()].filter((item) => pending.get(item.id) !== true);
  }

  remove(items) {
    this.queue = this.queue.filter((item) => !items.includes(item));
  }

  bringBack(items) {
    const ids = new Set(items.map((item) => item.id));
    this.queue = [...items, ...this.queue.filter((item) => !ids.has(item.id))];
  }
}
