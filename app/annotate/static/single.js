// One image at a time, large, with the attention over it or beside it.

import { ANSWERS, UNSURE } from "./answer_values.js";
import { settled } from "./pictures.js";
import { imageAddress } from "../ui/image_address.js";
import { hasScale, heatOpacity, overName, viewOf } from "./views.js";

function verdict({ prediction, label, confidence }) {
  if (prediction == null) return "";
  const correct = prediction === label ? "correct" : "incorrect";
  return confidence == null ? correct : `${correct}, confidence ${Math.round(confidence * 100)} %`;
}

export class Single {
  constructor(parts, pictures) {
    Object.assign(this, { parts, pictures });
    this.item = null; // on screen
    this.since = 0; // when it came there, by performance.now()
    this.unseen = false; // it cannot be shown
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
    if (turned) {
      this.item = item;
      this.since = performance.now();
      this.describe(item);
    }
    this.drawPictures(item, data, preferences);
    this.drawBeside(item, data, preferences.beside);
    this.parts.find("stage").dataset.row = item.row;
    return turned;
  }

  describe(item) {
    const { parts } = this;
    parts.text("label", item.label ?? "");
    parts.text("prediction", item.prediction ?? "unknown");
    parts.text("verdict", verdict(item));
    parts.hide({ empty: !item.empty });
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
    this.drawFailure([over, heat]);
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

  // Why it cannot be shown, now or as soon as that is known.
  drawFailure(pictures) {
    for (const picture of pictures) if (!settled(picture)) picture.changed = () => this.drawFailure(pictures);
    if (pictures[0].image !== this.parts.find("stage").children[0]) return; // the next one is on screen by now
    const failed = pictures.find((picture) => picture.sentence); // also what is only late: nobody has seen it
    this.parts.hide({ failure: !failed });
    const text = failed ? `${failed.sentence} Press U or S to continue.` : "";
    if (this.parts.find("failure").textContent !== text) this.parts.text("failure", text); // it is read aloud once
    this.unseen = Boolean(failed);
    for (const { word, value } of ANSWERS) {
      for (const button of this.parts.buttons(word)) button.disabled = this.unseen && value !== UNSURE;
    }
  }
}
