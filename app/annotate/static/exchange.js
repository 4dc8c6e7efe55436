// The talk with the server: answers out, images in, and patience where it does not answer. One request at a time.

import { Line } from "./outbox.js";

const ASK_MS = 2500; // how often the server is asked while there is no image to show
const RETRY_MS = [500, 1000, 2000, 5000];
const REFUSED_MS = 5000; // the server has said no: it is asked again, but not all the time
const CLOSED_MS = 3000; // a campaign that is closed may be reopened
const MOST = 100; // images a page may hold
const BACK = 20; // answers fetched to be undone

export class Exchange {
  constructor(app) {
    this.app = app;
    this.line = new Line(() => app.data.token);
    this.failures = 0;
    this.first = false; // the first answer of all is among those known here
    this.problem = this.closed = "";
    this.strange = 0; // answers that this campaign could not take: it does not ask about their images
    this.nextTry = this.nextAsk = this.asked = 0; // by performance.now()
  }

  soon() {
    this.nextTry = this.nextAsk = 0;
  }

  async flush() {
    if (this.sending || !this.app.outbox.waiting.length) return;
    this.sending = true;
    this.app.say();
    try {
      const body = { campaign: this.app.data.campaign, session: this.app.window.session, answers: this.app.outbox.batch() };
      const { ids, lost, strange } = await this.line.post(this.app.data.urls.answers, body);
      const recovered = this.failures > 0 || this.app.outbox.fromBefore;
      this.app.window.open -= this.app.outbox.drop([...ids, ...strange]);
      this.strange += strange.length;
      this.worked();
      this.someoneElses(lost);
      if (recovered) this.refill(true); // what arrived twice is counted once
    } catch (error) {
      this.failed(error);
      this.nextTry = performance.now() + this.patience;
    }
    this.sending = false;
    if (this.closed || this.barred) this.app.show();
    this.app.say();
    if (!this.failures && this.app.outbox.waiting.length) this.flush();
    else if (!this.failures && !this.app.window.queue.length) this.refill(true);
  }

  // Images that were taken back here, but that others look at by now.
  someoneElses(lost) {
    const gone = this.app.window.queue.filter((item) => lost.includes(item.id) && this.app.outbox.pending.get(item.id) === undefined);
    if (!gone.length) return;
    this.app.window.remove(gone);
    this.app.show();
    this.app.tell("Somebody else looks at that image by now: here is the next one");
  }

  async refill(force = false) {
    const { app } = this;
    const n = app.mode.wanted;
    if (this.asking || !app.started || (!force && app.window.queue.length > (2 * n) / 3)) return;
    this.asking = true;
    try {
      const held = Math.min(MOST, Math.max(n, app.window.queue.length) + app.outbox.waiting.length);
      const body = app.window.request(app.data.campaign, held, app.mode === app.grid && app.look.guess);
      const reply = await this.line.post(app.data.urls.next, body);
      app.window.accept(reply, app.mode.shown, app.outbox.pending);
      this.asked = performance.now();
      this.closed = "";
      this.worked();
    } catch (error) {
      this.failed(error);
    }
    this.nextAsk = performance.now() + (this.failures ? this.patience : ASK_MS);
    this.asking = false;
    app.show();
  }

  // Older answers of this annotator, so that undo can go back behind them; once at a time, until there are no more.
  earlier() {
    if (!this.first) this.seeking ??= this.seek().finally(() => { this.seeking = null; });
    return this.seeking;
  }

  async seek() {
    try {
      const body = { campaign: this.app.data.campaign, n: BACK, before: this.oldest };
      const { given } = await this.line.post(this.app.data.urls.given, body);
      const { pending } = this.app.outbox;
      const known = new Set(this.app.history.flatMap((step) => step.entries.map((entry) => entry.item.id)));
      const older = given.filter((one) => !known.has(one.id) && !pending.has(one.id));
      this.app.history.unshift(...older.reverse().map(({ value, seq, ...item }) => ({ entries: [{ item, value }], old: true })));
      this.first = given.length < BACK;
      this.oldest = given.at(-1)?.seq;
    } catch (error) {
      this.failed(error);
    }
    this.app.head();
  }

  worked() {
    this.failures = 0;
    this.problem = "";
    this.refused = this.barred = false;
  }

  failed(error) {
    this.failures += 1;
    const expired = error.status === 401;
    if (expired) this.renew();
    if (error.closed) this.closed = error.message;
    this.refused = Boolean(error.status) && !expired;
    this.barred = error.status === 403; // this person may not answer here any more
    this.problem = !error.status ? "No connection"
      : expired && this.failures < RETRY_MS.length ? "The page's permission is renewed" : error.message;
  }

  get patience() {
    return this.closed ? CLOSED_MS : this.refused ? REFUSED_MS : RETRY_MS[Math.min(this.failures, RETRY_MS.length) - 1];
  }

  // The token's time is over: the page's script knows who is here, and signs another one.
  renew() {
    const now = performance.now();
    if (now - (this.renewed ?? -Infinity) > RETRY_MS[3]) { this.renewed = now; this.app.trigger("renew", Math.round(now)); }
    return new Error("renewing");
  }

  // The page closes: what waits is sent along, and what is held is given back.
  farewell() {
    const { data, window, outbox } = this.app;
    const { campaign } = data;
    const { session } = window;
    if (outbox.waiting.length) this.line.farewell(data.urls.answers, { campaign, session, answers: outbox.batch() });
    this.line.farewell(data.urls.release, { campaign, session });
  }
}
