// What is on screen: the head, and under it one image, a page of them, or why there is none; and the parts of the HTML.

import { Grid } from "./grid.js";
import { Pictures } from "./pictures.js";
import { Single } from "./single.js";
import * as messages from "./messages.js";

const BODIES = ["work", "grid", "rest"];

export class Screen {
  // `expired()`: the server no longer accepts the token of the pictures; `changed()`: the image of a
  // tile has come, or cannot be shown.
  constructor(parts, { expired, changed }) {
    this.parts = parts;
    this.pictures = new Pictures(expired);
    this.single = new Single(parts, this.pictures);
    this.grid = new Grid(parts, this.pictures, changed);
    this.why = ""; // what is wrong, as it was last read aloud
  }

  show(body) {
    for (const name of BODIES) this.parts.find(name).hidden = name !== body;
  }

  // Fetch and decode what these images are shown with.
  prefetch(items, data, preferences) {
    const view = preferences.grid ? this.grid : this.single;
    this.pictures.want(items.flatMap((item) => view.addresses(item, data, preferences)));
  }

  // `waits`: the first reply of the server is on its way; `refused`: no answer and no undo is taken.
  drawHead({ progress, left }, history, data, { waits, refused }) {
    const { parts } = this;
    const total = progress?.total ?? 0;
    parts.text("count", progress ? messages.left(left) : waits ? "Loading ..." : "");
    parts.find("bar").max = Math.max(total, 1);
    parts.find("bar").value = total - left;
    parts.text("share", progress ? messages.share(progress, left, data) : "");
    parts.text("pace", messages.pace(history.answered));
    parts.text("tally", messages.tally(history.answered));
    for (const button of parts.buttons("undo")) {
      button.setAttribute("aria-disabled", String(history.empty && history.complete)); // so that it keeps the focus
      button.hidden = refused;
    }
  }

  // A screen reader reads what is wrong, once however many answers wait meanwhile, and that all is well again.
  drawStatus([text, why], unsent) {
    const status = this.parts.find("status");
    if (status.textContent !== text) status.textContent = status.title = text;
    status.classList.toggle("alarm", Boolean(why));
    this.parts.root.dataset.unsent = String(unsent);
    if (why === this.why || (!why && unsent)) return;
    this.why = why;
    this.parts.text("trouble", why ? text : messages.SAVED);
  }

  drawRest(title, sentence) {
    if (this.parts.find("rest-title").textContent !== title) {
      this.parts.text("rest-title", title);
      this.announce(title);
    }
    this.parts.text("rest-text", sentence);
  }

  // For screen readers.
  announce(text) { this.parts.text("live", text); }

  // A part that was hidden takes its focus along: then it comes here, never away from a field elsewhere.
  keepFocus() {
    if (document.activeElement === document.body) this.takeFocus();
  }

  takeFocus() { this.parts.root.focus({ preventScroll: true }); }

  // What could not be fetched is not asked for again.
  stop() { this.pictures.want([]); }
}

// The parts of the annotator's HTML, by name, and those that stay as they are while the page is open.
export class Parts {
  constructor(root) {
    this.root = root;
  }

  find(name) { return this.root.querySelector(`[data-part="${name}"]`); }
  buttons(action) { return this.root.querySelectorAll(`[data-act="${action}"]`); }
  text(name, text) { this.find(name).textContent = text; }
  hide(hidden) { for (const [name, value] of Object.entries(hidden)) this.find(name).hidden = value; }

  // Guideline, examples, name, choices.
  fill(data, preferences) {
    this.text("guideline", data.guideline);
    this.text("name", data.who ?? "");
    this.hide({ rename: !data.rename || !data.who, seen: data.blind, "guess-row": data.blind });
    this.hide({ question: data.blind, "blind-question": !data.blind });
    for (const kind of ["right", "wrong"]) this.fillExamples(kind, data.examples[kind] ?? []);
    for (const ramp of this.root.querySelectorAll(".ramp")) ramp.style.background = data.ramp;
    this.find("size").value = String(preferences.size);
    this.find("guess").checked = preferences.guess;
  }

  // What could not be fetched beside the image is asked for again: that one has come, so that others may now.
  reload() {
    for (const image of this.root.querySelectorAll("[data-part=beside] img, .guide img")) {
      if (image.complete && !image.naturalWidth) image.src = image.src;
    }
  }

  fillExamples(kind, addresses) {
    const place = this.find(`examples-${kind}`);
    place.closest("figure").hidden = !addresses.length;
    if (place.dataset.shown === addresses.join()) return;
    place.dataset.shown = addresses.join();
    place.replaceChildren(...addresses.map((address) => Object.assign(new Image(), { src: address, alt: `Example: ${kind}`, loading: "lazy" })));
  }
}
