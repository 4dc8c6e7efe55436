// One image at a time, large, with the attention over it or beside it.

import { ANSWERS, UNSURE } from "./answer_values.js";
import { areShown, whyMissing } from "./pictures.js";
import { imageAddress } from "../ui/image_address.js";
import { hasScale, heatOpacity, lay, overName, viewOf } from "./views.js";

const LATE_MS = 10000;
const LATE = "The image has not loaded yet.";

function verdict({ prediction, label, confidence }) {
  if (prediction == null) return "";
  const correct = prediction === label ? "correct" : "incorrect";
  return confidence == null ? correct : `${correct}, confidence ${Math.round(confidence * 100)} %`;
}

export class Single {
  constructor(parts, pictures) {
    Object.assign(this, { parts, pictures });
    this.item = null; // of which the stage has the pictures
    this.onStage = [];
    this.since = null; // when all of them were on screen, by performance.now()
    this.late = false; // they have been awaited for long
    this.painted = false; // a frame has had what can be answered: a key before that was pressed about the image before
    this.paintedAt = 0; // when, by performance.now()
  }

  // Whether this can be said of the image now.
  takes(value) {
    return this.painted && this.offers(value);
  }

  // Anything where its pictures are there, and that it is unsure where they do not come.
  offers(value) {
    if (!this.item) return false;
    return areShown(this.onStage) || (value === UNSURE && Boolean(this.late || whyMissing(this.onStage)));
  }

  // For how long it has been on screen.
  get ms() {
    return this.since === null ? 0 : Math.round(performance.now() - this.since);
  }

  // The addresses of all pictures an image is shown with, in the order in which they are needed.
  addresses(item, data, preferences) {
    const name = data.blind ? `Image ${item.row}` : `Image ${item.row}, label ${item.label}`;
    const over = data[overName(preferences)];
    const made = [[imageAddress(data.image, item.row), name], [imageAddress(over, item.row), "Attention heat map"]];
    if (viewOf(preferences) === "contour") made.push([imageAddress(data.contour, item.row), `${name}, attention contour`]);
    return made;
  }

  // The next image counts as another one, also where it is the same.
  clear() {
    this.item = null;
  }

  // True where it is another image than before.
  draw(item, data, preferences) {
    const turned = this.item !== item;
    if (turned) this.turn(item);
    this.drawPictures(item, data, preferences);
    this.drawBeside(item, data, preferences.beside);
    return turned;
  }

  turn(item) {
    clearTimeout(this.patience);
    cancelAnimationFrame(this.frame);
    Object.assign(this, { item, since: null, late: false, painted: false, frame: undefined });
    delete this.parts.find("stage").dataset.row;
    this.patience = setTimeout(() => { this.late = true; this.drawState(); }, LATE_MS);
    this.describe(item);
  }

  describe(item) {
    const { parts } = this;
    parts.text("label", item.label ?? "");
    parts.text("prediction", item.prediction ?? "unknown");
    parts.text("verdict", verdict(item));
    parts.hide({ empty: !item.empty, "of-class": !item.guideline });
    parts.text("of-class", item.guideline ?? "");
    for (const button of parts.buttons("empty")) button.classList.toggle("rare", !item.empty);
    parts.text("row", `image ${Number(item.row).toLocaleString("en")}`);
  }

  drawPictures(item, data, preferences) {
    const [image, heat, contour] = this.addresses(item, data, preferences).map(([address, alt]) => this.pictures.get(address, alt));
    const over = contour ?? image;
    const view = viewOf(preferences);
    this.parts.find("stage").replaceChildren(over.image, heat.image);
    heat.image.style.opacity = heatOpacity(preferences);
    this.parts.hide({ scale: !hasScale(preferences) });
    this.parts.text("view", view === "overlay" ? `overlay, ${Math.round(heatOpacity(preferences) * 100)} %` : view);
    this.onStage = [over, heat];
    this.seen = contour ? null : data.frame; // a contour is drawn into what the model sees
    for (const picture of this.onStage) picture.changed = () => this.drawState();
    this.drawState();
  }

  // The plain image beside it: a second element of the same address, which the browser has at hand.
  drawBeside(item, data, on) {
    const beside = this.parts.find("beside");
    beside.hidden = !on;
    if (!on || beside.dataset.row === String(item.row)) return;
    const plain = Object.assign(new Image(), { src: imageAddress(data.image, item.row), alt: "Image without attention", draggable: false });
    beside.replaceChildren(plain);
    beside.dataset.row = item.row;
  }

  // Whether it is on screen, or why it is not: now, and again with each picture that comes.
  drawState() {
    const { parts, item, onStage } = this;
    const isShown = areShown(onStage);
    if (isShown) {
      this.late = false;
      this.drawFrame(lay(onStage[1].image, onStage[0].image, this.seen));
      this.parts.reload();
    }
    if (isShown && this.painted) this.since ??= performance.now();
    if (this.offers(UNSURE)) this.frame ??= requestAnimationFrame(() => this.paint());
    const why = isShown ? "" : whyMissing(onStage) || (this.late ? LATE : "");
    parts.hide({ loading: isShown || Boolean(why), failure: !why });
    const text = why && `${why} Press U or S to continue.`;
    if (parts.find("failure").textContent !== text) parts.text("failure", text); // it is read aloud once
    if (this.takes(UNSURE)) parts.find("stage").dataset.row = item.row;
    else delete parts.find("stage").dataset.row;
    for (const { word, value } of [...ANSWERS, { word: "skip", value: UNSURE }]) {
      for (const button of parts.buttons(word)) button.setAttribute("aria-disabled", String(!this.offers(value)));
    }
  }

  // What the model sees of the image, as a sketch below it: a frame on the image could cover what is to be judged.
  drawFrame(share) {
    const [{ image }] = this.onStage;
    const outline = this.parts.find("outline");
    this.parts.hide({ frame: share > 0.99 });
    outline.style.aspectRatio = image.naturalWidth / image.naturalHeight;
    outline.firstElementChild.style.width = `${100 * share * Math.max(1, image.naturalHeight / image.naturalWidth)}%`;
  }

  // It is in the frame that the browser draws now.
  paint() {
    Object.assign(this, { painted: true, paintedAt: performance.now() });
    this.drawState();
  }
}
