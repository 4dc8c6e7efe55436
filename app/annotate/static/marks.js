// Marks of the grid that are not confirmed: kept in localStorage by campaign and annotator, so that a reload loses none.
// One entry a mark, so that two tabs never overwrite each other.

export class Marks {
  constructor(campaign, who) {
    this.prefix = `slim-mark:${campaign}:${who}:`;
  }

  // Item id -> value.
  load() {
    try {
      const keys = Object.keys(localStorage).filter((key) => key.startsWith(this.prefix));
      return new Map(keys.map((key) => [Number(key.slice(this.prefix.length)), Number(localStorage.getItem(key))]));
    } catch { // storage is off: nothing is kept there
      return new Map();
    }
  }

  set(id, value) {
    try {
      localStorage.setItem(this.prefix + id, String(value));
    } catch { /* no room: the mark is still in this page */ }
  }

  delete(id) {
    try {
      localStorage.removeItem(this.prefix + id);
    } catch { /* storage is off: nothing is kept there */ }
  }
}
