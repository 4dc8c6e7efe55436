// What is on screen: the head, and under it one image, a page of them, or why there is none.

import { Grid } from "./grid.js";
import * as messages from "./messages.js";
import { Pictures } from "./pictures.js";
import { Single } from "./single.js";

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
