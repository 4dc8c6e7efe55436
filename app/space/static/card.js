// The card beside the pointer: the image of a point and what is known of it. Its size never changes.

import { imageAddress } from "../ui/image_address.js";
import { element } from "./controls.js";

const KEPT = 500; // cards in memory
const WAIT = 40; // ms the pointer rests before a card is asked for
const [WIDTH, HEIGHT] = [184, 268];

export class HoverCard {
  constructor(root) {
    this.root = root;
    this.cards = new Map();
    this.box = element("div", "slim-space-card");
    this.box.hidden = true;
    this.box.innerHTML = '<img alt=""><b></b><span></span><dl></dl>';
    root.append(this.box);
  }

  // ``card``: address of what is known, with AT where the position goes; ``image``: of a thumbnail, see imageAddress.
  update(card, image) {
    if (card !== this.card) this.cards = new Map(); // what is on its way comes into the old one
    [this.card, this.image] = [card, image];
  }

  show(id, x, y) {
    this.box.style.left = `${x > window.innerWidth / 2 ? x - WIDTH - 18 : x + 18}px`;
    this.box.style.top = `${Math.max(8, Math.min(y - HEIGHT / 3, window.innerHeight - HEIGHT - 8))}px`;
    if (id === this.id) return;
    this.id = id;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.fill(id), this.cards.has(id) ? 0 : WAIT);
  }

  async fill(id) {
    const known = await this.known(id);
    if (this.id !== id) return;
    this.box.hidden = !known; // the card of another point says nothing of this one
    if (!known) return;
    const { row, title, group, correct, facts } = known;
    const [image, head, under, list] = this.box.children;
    // another element: on the same one a browser shows the picture of the last point until this one has come
    image.replaceWith(Object.assign(new Image(), { src: imageAddress(this.image, row), alt: `image ${row}` }));
    head.textContent = title;
    head.dataset.correct = correct;
    under.textContent = group;
    list.replaceChildren(...facts.flatMap(([name, value]) => [element("dt", "", name), element("dd", "", value)]));
  }

  // What is known of a point as of the address that is asked now; undefined where it does not come.
  async known(id) {
    const { cards, card } = this;
    if (!cards.has(id)) {
      const found = await fetch(card.replace("AT", id))
        .then((response) => (response.ok ? response.json() : undefined)).catch(() => undefined);
      if (card !== this.card) return this.known(id);
      if (!found) return undefined;
      cards.set(id, found);
      if (cards.size > KEPT) cards.delete(cards.keys().next().value);
    }
    return cards.get(id);
  }

  hide() {
    clearTimeout(this.timer);
    this.id = undefined;
    this.box.hidden = true;
  }
}
