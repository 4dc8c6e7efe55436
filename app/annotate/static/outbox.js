// Answers on their way: each under a random id of its own, kept in localStorage until the server has acknowledged it,
// so that nothing is lost with a page or a connection, and nothing counts twice.

const BATCH = 200;
const KEEPALIVE_BYTES = 60000; // what a browser still sends for a page that is closing
const TIMEOUT_MS = 15000;

export const randomId = () =>
  Array.from(crypto.getRandomValues(new Uint8Array(12)), (b) => b.toString(16).padStart(2, "0")).join("");

// One entry of localStorage an answer, so that two tabs never overwrite each other; the key keeps their order.
export class Outbox {
  constructor(campaign, who) {
    this.prefix = `slim-answer:${campaign}:${who}:`;
    this.sequence = 0;
    const keys = stored().filter((key) => key.startsWith(this.prefix)).sort();
    this.waiting = keys.flatMap((key) => read(key) ?? []);
    this.fromBefore = this.waiting.length > 0; // another page left some: the server may know them
  }

  push(answer) {
    this.sequence += 1;
    const key = `${this.prefix}${Date.now()}-${String(this.sequence).padStart(6, "0")}-${answer.id}`;
    this.waiting.push({ ...answer, key });
    try {
      localStorage.setItem(key, JSON.stringify(answer));
    } catch { // no room, or storage is off: the answer is still kept in this page
      this.volatile = true;
    }
  }

  // These have arrived; returns how many more images count as answered by them.
  drop(ids) {
    const before = this.net;
    const gone = new Set(ids);
    for (const answer of this.waiting) if (gone.has(answer.id)) localStorage.removeItem(answer.key);
    this.waiting = this.waiting.filter((answer) => !gone.has(answer.id));
    this.fromBefore &&= this.waiting.length > 0;
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
function read(key) {
  try {
    const { id, item, ...answer } = JSON.parse(localStorage.getItem(key));
    return typeof id === "string" && Number.isInteger(item) ? { id, item, ...answer, key } : undefined;
  } catch {
    return undefined;
  }
}

function stored() {
  try {
    return Object.keys(localStorage);
  } catch {
    return [];
  }
}

// One request at a time, so that what the server says of the next images always includes the answers before it.
export class Line {
  constructor(token) {
    this.token = token;
    this.last = Promise.resolve();
  }

  post(url, body) {
    const sent = this.last.then(() => this.send(url, JSON.stringify(body)));
    this.last = sent.catch(() => {});
    return sent;
  }

  // At once, beside the line: for a page that is closing.
  farewell(url, body) {
    const text = JSON.stringify(body);
    if (text.length < KEEPALIVE_BYTES) fetch(url, this.request(text)).catch(() => {});
  }

  request(text) {
    const headers = { "X-Slim-Token": this.token(), "Content-Type": "application/json" };
    return { method: "POST", body: text, headers, keepalive: text.length < KEEPALIVE_BYTES };
  }

  async send(url, text) {
    const abort = new AbortController();
    const timer = setTimeout(() => abort.abort(), TIMEOUT_MS);
    try {
      const response = await fetch(url, { ...this.request(text), signal: abort.signal });
      const json = (response.headers.get("content-type") || "").includes("json");
      const body = json ? await response.json() : { error: "The server gave no answer: reload the page." };
      if (!response.ok || body.error) {
        throw Object.assign(new Error(body.error), { status: response.status, closed: Boolean(body.closed) });
      }
      return body;
    } finally {
      clearTimeout(timer);
    }
  }
}
