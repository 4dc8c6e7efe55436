// The session of this page, under whose id its images are leased. The next page of the tab takes over what this one held.

import { randomId } from "../ui/random_id.js";

const STORED = "slim-tab:"; // only while no page of the tab is open: a duplicated tab must not share a session
const MAX_PREVIOUS = 10;

export class Session {
  constructor(campaign, who) {
    this.key = `${STORED}${campaign}:${who}`;
    this.open();
  }

  open() {
    this.id = randomId();
    this.left = false;
    this.previous = this.takePrevious(); // sessions of the pages before this one, until the server has handed over
  }

  takePrevious() {
    try {
      const previous = JSON.parse(sessionStorage.getItem(this.key)) ?? [];
      sessionStorage.removeItem(this.key);
      return previous;
    } catch {
      return [];
    }
  }

  close() {
    this.left = true;
    try {
      sessionStorage.setItem(this.key, JSON.stringify([...this.previous, this.id].slice(-MAX_PREVIOUS)));
    } catch { /* the leases then run out by themselves */ }
  }
}
