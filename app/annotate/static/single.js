// One image at a time, large, with the attention over it or beside it.

import { onSwipe } from "./keys.js";

export const VIEWS = ["overlay", "image", "heat map", "contour"];
const DECODED_AHEAD = 8;
const VERDICT = { true: "correct", false: "mistaken" };

export class Single {
  constructor(app) {
    this.app = app;
    onSwipe(app.find("stages"), (name) => app.act(name), app.signal);
  }

  get shown() {
    return this.app.window.queue.slice(0, 1);
  }

  // Enough for a fast hand, and fewer near the end, so that others find something too.
  get wanted() {
    return this.app.window.standing ? Math.min(24, Math.max(4, Math.ceil(this.app.leftNow() / 4))) : 12;
  }

  // The addresses of all pictures an image is shown with, in the order in which they are needed.
  pictures(item) {
    const { data, look } = this.app;
    const name = data.blind ? `Image ${item.row}` : `Image ${item.row}, label ${item.label}`;
    const made = [[data.image.replace("ROW", item.row), name], [data.heat.replace("ROW", item.row), "Where the model looks"]];
    if (VIEWS[look.view] === "contour") made.push([data.contour.replace("ROW", item.row), `${name}, attention outlined`]);
    return made;
  }

  prefetch() {
    const { window, history, pictures } = this.app;
    const near = [...window.queue.slice(0, DECODED_AHEAD), ...history.slice(-2).flatMap((step) => step.entries.map((entry) => entry.item))].slice(0, 12);
    pictures.want(near.flatMap((item) => this.pictures(item)));
  }

  show() {
    const [item] = this.shown;
    if (!item) return;
    const { app } = this;
    if (this.item !== item) {
      this.item = item;
      this.since = performance.now();
      this.describe(item);
    }
    this.draw(item);
    app.find("stage").dataset.row = item.row;
  }

  describe(item) {
    const { app } = this;
    app.text("label", item.label ?? "");
    app.text("prediction", item.prediction ?? "not known");
    app.text("sure", item.confidence == null ? "" : `${Math.round(item.confidence * 100)} % sure`);
    app.text("verdict", item.prediction == null ? "" : VERDICT[item.prediction === item.label]);
    app.text("row", `image ${Number(item.row).toLocaleString("en")}`);
    const seen = app.data.blind ? "" : `, label ${item.label}, prediction ${item.prediction ?? "not known"}`;
    app.tell(`Image ${item.row}${seen}. ${app.leftText()}`);
  }

  draw(item) {
    const { app } = this;
    const [image, heat, contour] = this.pictures(item).map(([address, alt]) => app.pictures.get(address, alt));
    const view = VIEWS[app.look.view];
    const over = contour ?? image;
    app.find("stage").replaceChildren(over.image, heat.image);
    heat.image.style.opacity = view === "overlay" ? app.look.opacity : view === "heat map" ? 1 : 0;
    this.besides(item, app.look.beside);
    app.text("view", view === "overlay" ? `overlay, ${Math.round(app.look.opacity * 100)} %` : view);
    this.failure([over, heat]);
  }

  // The plain image beside it: a second element of the same address, which the browser has at hand.
  besides(item, on) {
    const beside = this.app.find("beside");
    beside.hidden = !on;
    if (!on || beside.dataset.row === String(item.row)) return;
    const plain = new Image();
    plain.src = this.app.data.image.replace("ROW", item.row);
    plain.alt = "The image without attention";
    plain.draggable = false;
    beside.replaceChildren(plain);
    beside.dataset.row = item.row;
  }

  failure(pictures) {
    const { app } = this;
    for (const picture of pictures) {
      if (picture.state !== "ready" && picture.state !== "failed") picture.told = [() => this.failure(pictures)];
    }
    const failed = pictures.find((picture) => picture.state === "failed");
    if (pictures[0].image !== app.find("stage").children[0]) return; // the next one is on screen by now
    app.find("failure").hidden = !failed;
    app.text("failure", failed ? `${failed.sentence} Press U or S to go on.` : "");
    this.unseen = Boolean(failed);
    for (const name of ["right", "wrong"]) app.button(name).disabled = this.unseen;
  }

  act(name) {
    const { app } = this;
    const [item] = this.shown;
    const values = { right: 1, wrong: 0, unsure: -1 };
    if (!item || (this.unseen && (name === "right" || name === "wrong"))) return;
    const ms = Math.round(performance.now() - this.since);
    if (name in values) app.answer([[item, values[name]]], ms, { view: VIEWS[app.look.view] });
    else if (name === "skip") app.skip(item, ms);
  }
}
