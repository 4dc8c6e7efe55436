// The card beside the pointer: the image of a point and what is known of it. Its size never changes.

import { imageAddress } from "../ui/image_address.js";
import { element } from "./element.js";

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
    if (card !== this.card) this.cards.clear();
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
    if (!this.cards.has(id)) {
      const response = await fetch(this.card.replace("AT", id)).catch(() => null);
      if (!response?.ok) return;
      this.cards.set(id, await response.json());
      if (this.cards.size > KEPT) this.cards.delete(this.cards.keys().next().value);
    }
    if (this.id !== id) return;
    const { row, title, group, correct, facts } = this.cards.get(id);
    const [image, head, under, list] = this.box.children;
    image.src = imageAddress(this.image, row);
    image.alt = `image ${row}`;
    head.textContent = title;
    head.dataset.correct = correct;
    under.textContent = group;
    list.replaceChildren(...facts.flatMap(([name, value]) => [element("dt", "", name), element("dd", "", value)]));
    this.box.hidden = false;
  }

  hide() {
    clearTimeout(this.timer);
    this.id = undefined;
    this.box.hidden = true;
  }
}
