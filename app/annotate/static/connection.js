// The four requests a page makes, one at a time, so that what the server says of the next images always includes the
// answers before it; whether it can be reached, and when to try again where it cannot; and the session they are made under.

import { randomId } from "../ui/random_id.js";

const RETRY_MS = [500, 1000, 2000, 5000];
const REFUSED_MS = 5000; // the server has refused: it is asked again, but not all the time
const CLOSED_MS = 3000; // a campaign that is closed may be reopened
const KEEPALIVE_BYTES = 60000; // what a browser still sends for a page that is closing
const TIMEOUT_MS = 15000;

export class Connection {
  // `expired()`: the token is over its time.
  constructor(campaign, session, urls, expired) {
    Object.assign(this, { campaign, session, urls, expired });
    this.token = "";
    this.last = Promise.resolve();
    this.failures = 0; // since the last success
    this.problem = ""; // why the last request failed
    this.closed = ""; // why the campaign takes no answers
    this.refused = this.barred = this.gone = false; // not now; not here any more; removed
  }

  async next(n, after, guess) {
    const { campaign, session } = this;
    const body = { campaign, session: session.id, n, after };
    if (session.previous.length) body.was = session.previous;
    if (guess) body.guess = true;
    const isHere = () => session.id === body.session && !session.left; // a page that is gone holds no images
    const reply = await this.post(this.urls.next, body, isHere);
    session.previous = session.previous.filter((one) => !body.was?.includes(one)); // it may have left and come back since
    this.closed = "";
    return reply;
  }

  answers(answers) {
    return this.post(this.urls.answers, { campaign: this.campaign, session: this.session.id, answers });
  }

  given(n, before) {
    return this.post(this.urls.given, { campaign: this.campaign, n, before });
  }

  // The page closes: these answers are sent along, and the images are released; at once, beside what is under way.
  farewell(answers) {
    const about = { campaign: this.campaign, session: this.session.id };
    if (answers.length) this.sendLast(this.urls.answers, { ...about, answers });
    this.sendLast(this.urls.release, about);
  }

  // How long to wait after a failure, also one that is not the connection's: of a reply that cannot be read.
  get patience() {
    if (this.closed) return CLOSED_MS;
    return this.refused ? REFUSED_MS : RETRY_MS[Math.min(this.failures || 1, RETRY_MS.length) - 1];
  }

  // `isWanted()`: whether it still is, once those before it have been replied to.
  post(url, body, isWanted = () => true) {
    const sent = this.last.then(() => {
      if (!isWanted()) throw new Error("Nobody waits for it any more.");
      return this.send(url, JSON.stringify(body));
    });
    this.last = sent.catch(() => {});
    return sent;
  }

  async send(url, text) {
    try {
      const reply = await this.fetched(url, text);
      this.failures = 0;
      this.problem = "";
      this.refused = this.barred = this.gone = false;
      return reply;
    } catch (error) {
      this.failed(error);
      throw error;
    }
  }

  async fetched(url, text) {
    const response = await fetch(url, { ...this.request(text), signal: AbortSignal.timeout(TIMEOUT_MS) });
    const json = (response.headers.get("content-type") || "").includes("json");
    const body = json ? await response.json() : { error: "The server sent an unexpected reply: reload the page." };
    if (!response.ok || body.error) {
      throw Object.assign(new Error(body.error), { status: response.status, closed: Boolean(body.closed) });
    }
    return body;
  }

  request(text) {
    const headers = { "X-Slim-Token": this.token, "Content-Type": "application/json" };
    return { method: "POST", body: text, headers, keepalive: text.length < KEEPALIVE_BYTES };
  }

  sendLast(url, body) {
    const text = JSON.stringify(body);
    if (text.length < KEEPALIVE_BYTES) fetch(url, this.request(text)).catch(() => {});
  }

  failed(error) {
    this.failures += 1;
    const expired = error.status === 401;
    if (expired) this.expired();
    this.refused = Boolean(error.status) && !expired;
    this.barred = error.status === 403 || error.status === 404;
    this.gone = error.status === 404;
    if (error.closed) this.closed = error.message;
    else if (this.barred) this.closed = ""; // it is no longer only closed: nothing is sent if it reopens
    this.problem = !error.status ? "No connection"
      : expired && this.failures < RETRY_MS.length ? "Renewing the page's token" : error.message;
  }
}

// The session of this page, under whose id its images are leased. The next page of the tab takes over what this one held.
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
