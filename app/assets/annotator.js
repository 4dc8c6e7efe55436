// One image at a time, one key an answer. Answers go straight to the server by POST; until it has acknowledged them
// they wait in localStorage, each under a random id of its own, so that nothing is lost and nothing counts twice.
// Image and heat map lie on each other: the overlay is the heat map's opacity, so changing it loads nothing.

const KEYS = {
  "1": "right", ArrowRight: "right", "0": "wrong", ArrowLeft: "wrong", u: "unsure", z: "undo", s: "skip", h: "view",
  "+": "more", "=": "more", "-": "less",
};
const VALUES = { right: 1, wrong: 0, unsure: -1 };
const WORDS = { "1": "right", "0": "wrong", "-1": "unsure" };
const VIEWS = ["overlay", "image", "heat map"];
const AHEAD = 6; // images fetched before they are needed
const RETRY_MS = [500, 1000, 2000, 5000];

const randomId = () => Array.from(crypto.getRandomValues(new Uint8Array(12)), (b) => b.toString(16).padStart(2, "0")).join("");
const number = (n) => Number(n).toLocaleString("en");

// One entry of localStorage an answer, so that two tabs never overwrite each other; the key keeps their order.
class Outbox {
  constructor(campaign) {
    this.prefix = `slim-answer:${campaign}:`;
    const keys = Object.keys(localStorage).filter((key) => key.startsWith(this.prefix)).sort();
    this.waiting = keys.map((key) => ({ ...JSON.parse(localStorage.getItem(key)), key }));
    this.sequence = 0;
  }

  push(answer) {
    this.sequence += 1;
    const key = `${this.prefix}${Date.now()}-${String(this.sequence).padStart(6, "0")}-${answer.id}`;
    this.waiting.push({ ...answer, key });
    localStorage.setItem(key, JSON.stringify(answer));
  }

  drop(ids) {
    const gone = new Set(ids);
    for (const answer of this.waiting) if (gone.has(answer.id)) localStorage.removeItem(answer.key);
    this.waiting = this.waiting.filter((answer) => !gone.has(answer.id));
  }
}

class Annotator {
  constructor(parent, data) {
    this.root = parent.querySelector(".slim-annotator");
    this.find = (name) => this.root.querySelector(`[data-part="${name}"]`);
    this.campaign = data.campaign;
    this.outbox = new Outbox(data.campaign);
    this.images = new Map();
    this.history = [];
    this.view = 0;
    this.opacity = 0.5;
    this.failures = 0;
    this.onKey = (event) => this.key(event);
    document.addEventListener("keydown", this.onKey, true);
    this.onOnline = () => this.flush();
    window.addEventListener("online", this.onOnline);
    for (const button of this.root.querySelectorAll("[data-act]")) {
      button.addEventListener("click", () => this.act(button.dataset.act));
    }
  }

  update(data, setTriggerValue) {
    this.data = data;
    this.trigger = setTriggerValue;
    this.find("guideline").textContent = data.guideline;
    if (!this.loading) this.loading = this.load();
  }

  async call(url, options = {}) {
    const response = await fetch(url, { ...options, headers: { "X-Slim-Token": this.data.token, ...options.headers } });
    const type = response.headers.get("content-type") || "";
    const body = type.includes("json") ? await response.json() : { error: "The server gave no answer: reload the page." };
    if (!response.ok || body.error) throw Object.assign(new Error(body.error), { status: response.status });
    return body;
  }

  async load() {
    try {
      const { items, progress } = await this.call(this.data.items);
      const pending = new Map();
      for (const answer of this.outbox.waiting) pending.set(answer.item, answer.value);
      const answered = (item) => (pending.has(item.id) ? pending.get(item.id) : item.answer) ?? null;
      this.all = new Map(items.map((item) => [item.id, item]));
      this.history = items.filter((item) => answered(item) !== null).map((item) => ({ item, value: answered(item) }));
      this.queue = items.filter((item) => answered(item) === null);
      this.total = progress.total;
      this.root.dataset.ready = "true";
      this.show();
      this.flush();
    } catch (error) {
      this.say(error.status ? error.message : "The server cannot be reached: trying again.", true);
      this.retry = setTimeout(() => { this.loading = this.load(); }, 2000);
    }
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || !this.root.isConnected || !this.queue) return;
    const target = event.composedPath()[0];
    if (target.isContentEditable || ["INPUT", "TEXTAREA", "SELECT"].includes(target.tagName)) return;
    const act = KEYS[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (!act) return;
    event.preventDefault();
    event.stopPropagation();
    if (!event.repeat) this.act(act);
  }

  act(name) {
    if (!this.queue) return;
    if (name in VALUES) this.answer(VALUES[name]);
    else if (name === "undo") this.undo();
    else if (name === "skip") this.skip();
    else if (name === "view") this.setView(this.view + 1);
    else this.setOpacity(this.opacity + (name === "more" ? 0.1 : -0.1));
  }

  answer(value) {
    const item = this.queue.shift();
    if (!item) return;
    this.history.push({ item, value });
    this.post(item, value);
    this.show();
  }

  undo() {
    const last = this.history.pop();
    if (!last) return;
    this.queue.unshift(last.item);
    this.post(last.item, null);
    this.show();
  }

  skip() {
    if (this.queue.length < 2) return;
    this.queue.push(this.queue.shift());
    this.show();
  }

  post(item, value) {
    const seen = { run: this.data.run, view: VIEWS[this.view], opacity: Math.round(this.opacity * 100) / 100 };
    const ms = Math.round(performance.now() - this.shownAt);
    this.outbox.push({ id: randomId(), item: item.id, value, seen, ms });
    this.connection();
    this.flush();
  }

  async flush() {
    if (this.sending || !this.outbox.waiting.length) return this.connection();
    this.sending = true;
    try {
      const answers = this.outbox.waiting.slice(0, 200).map(({ key, ...answer }) => answer);
      const body = JSON.stringify({ campaign: this.campaign, answers });
      const { ids } = await this.call(this.data.answers, { method: "POST", body, keepalive: body.length < 60000 });
      this.outbox.drop(ids);
      this.failures = 0;
      this.problem = ids.length ? "" : "The server kept none of the answers: reload the page.";
    } catch (error) {
      this.failures += 1;
      this.problem = error.status ? error.message : "No connection";
    }
    this.sending = false;
    this.connection();
    const wait = this.failures ? RETRY_MS[Math.min(this.failures, RETRY_MS.length) - 1] : 0;
    clearTimeout(this.retry);
    if (this.outbox.waiting.length) this.retry = setTimeout(() => this.flush(), wait);
    else if (!this.queue?.length && this.total) this.finished();
  }

  finished() {
    if (this.toldDone) return;
    this.toldDone = true;
    this.trigger("done", this.history.length);
  }

  connection() {
    const n = this.outbox.waiting.length;
    const kept = n ? `${number(n)} ${n === 1 ? "answer waits" : "answers wait"} in this browser and will be sent again` : "";
    if (this.problem) this.say([this.problem, kept].filter(Boolean).join(". "), true);
    else this.say(n ? "Saving ..." : "All answers saved", false);
    this.root.dataset.unsent = String(n);
  }

  say(text, alarm) {
    const line = this.find("status");
    line.textContent = text;
    line.classList.toggle("alarm", alarm);
  }

  show() {
    const item = this.queue[0];
    const done = this.history.length;
    this.find("work").hidden = !item;
    this.find("done").hidden = Boolean(item);
    this.find("count").textContent = `${number(done)} of ${number(this.total)} answered`;
    const bar = this.find("bar");
    bar.max = Math.max(this.total, 1);
    bar.value = done;
    this.find("tally").textContent = this.tally();
    for (const button of this.root.querySelectorAll('[data-act="undo"]')) button.disabled = !done;
    if (item) { this.toldDone = false; this.showItem(item); }
    this.prefetch();
    this.shownAt = performance.now();
  }

  tally() {
    const counts = { right: 0, wrong: 0, unsure: 0 };
    for (const { value } of this.history) counts[WORDS[value]] += 1;
    return Object.entries(counts).map(([word, n]) => `${number(n)} ${word}`).join(", ");
  }

  showItem(item) {
    const { image, heat } = this.pictures(item);
    const prediction = this.data.predictions[item.row];
    image.alt = `Image ${item.row}, label ${item.label_name}`;
    heat.alt = "Where the model looks";
    this.find("stage").replaceChildren(image, heat);
    this.find("stage").dataset.row = item.row;
    this.find("label").textContent = item.label_name;
    this.find("prediction").textContent = prediction
      ? `${prediction[0]}${prediction[1] === null ? "" : ` (${Math.round(prediction[1] * 100)} % sure)`}` : "not known";
    this.find("verdict").textContent = !prediction ? "" : prediction[0] === item.label_name ? "correct" : "mistaken";
    this.find("row").textContent = `image ${number(item.row)}`;
    this.setView(this.view);
  }

  pictures(item) {
    if (!this.images.has(item.row)) {
      const fetchOne = (url) => {
        const picture = new Image();
        picture.decoding = "sync";
        picture.src = url.replace("ROW", item.row);
        picture.decode?.().catch(() => {});
        return picture;
      };
      this.images.set(item.row, { image: fetchOne(this.data.image), heat: fetchOne(this.data.heat) });
    }
    return this.images.get(item.row);
  }

  prefetch() {
    const near = [...this.queue.slice(0, AHEAD), ...this.history.slice(-2).map((entry) => entry.item)];
    for (const item of near) this.pictures(item);
    const keep = new Set(near.map((item) => item.row));
    for (const row of this.images.keys()) if (!keep.has(row)) this.images.delete(row);
  }

  setView(view) {
    this.view = view % VIEWS.length;
    const heat = this.find("stage").children[1];
    if (heat) heat.style.opacity = [this.opacity, 0, 1][this.view];
    this.find("view").textContent = VIEWS[this.view];
  }

  setOpacity(opacity) {
    this.opacity = Math.min(0.9, Math.max(0.1, opacity));
    this.setView(0);
  }

  dispose() {
    document.removeEventListener("keydown", this.onKey, true);
    window.removeEventListener("online", this.onOnline);
    clearTimeout(this.retry);
  }
}

export default function ({ data, parentElement, setTriggerValue }) {
  let annotator = parentElement.__slimAnnotator;
  if (annotator && annotator.campaign !== data.campaign) { annotator.dispose(); annotator = undefined; }
  annotator ??= new Annotator(parentElement, data);
  parentElement.__slimAnnotator = annotator;
  annotator.update(data, setTriggerValue);
  return () => {
    if (annotator.root.isConnected) return;
    annotator.dispose();
    delete parentElement.__slimAnnotator;
  };
}
