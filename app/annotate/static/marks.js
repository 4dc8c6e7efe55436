// Marks of the grid that are not confirmed: kept in localStorage by campaign and annotator, so that a reload loses none.
// One entry a mark, so that two tabs never overwrite each other.

import { entriesOf, put, remove } from "./storage.js";

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
