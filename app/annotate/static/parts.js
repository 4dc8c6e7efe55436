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
