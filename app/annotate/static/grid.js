// Many images at once, as tiles: below each stand the key that flips it, its class, and its value if it has one. Nothing
// is drawn on a picture, where a mark could cover what is to be judged.

import { ANSWERS, UNSURE, wordOf } from "./answer_values.js";
import { TILES } from "./keys.js";
import { areShown, whyMissing } from "./pictures.js";
import { imageAddress } from "../ui/image_address.js";
import { hasScale, heatOpacity, lay, overName, viewOf } from "./views.js";

export class Grid {
  // `changed()`: the image of a tile has come, or cannot be shown.
  constructor(parts, pictures, changed) {
    Object.assign(this, { parts, pictures, changed });
    this.tiles = parts.find("tiles");
    this.paintedAt = 0; // when a frame had the page, by performance.now()
  }

  // Another page: what is pressed before a frame has had it was pressed about the page before.
  turn() {
    cancelAnimationFrame(this.frame);
    this.tiles.dataset.turned = "";
    this.frame = requestAnimationFrame(() => {
      delete this.tiles.dataset.turned;
      this.paintedAt = performance.now();
    });
  }

  get columns() {
    return getComputedStyle(this.tiles).gridTemplateColumns.split(" ").length;
  }

  addresses(item, data, preferences) {
    const name = `Image ${item.row}`;
    if (viewOf(preferences) === "contour") return [[imageAddress(data.tileContour, item.row), name]];
    const over = overName(preferences) === "heat" ? data.tileHeat : data.tileVeil;
    return [[imageAddress(data.tileImage, item.row), name], [imageAddress(over, item.row), "Attention heat map"]];
  }

  // A page (GridPage); an image that cannot be shown is unsure.
  draw(page, data, preferences) {
    const focused = this.tiles.getRootNode().activeElement?.classList.contains("tile");
    page.items.forEach((item, place) => {
      const pictures = this.picturesOf(item, data, preferences);
      const tile = this.tiles.children[place] ?? this.tiles.appendChild(newTile());
      this.drawPictures(tile, pictures, heatOpacity(preferences), data.frame);
      if (pictures.some(({ state }) => state === "failed")) page.cannotShow(item);
      const word = wordOf(page.value(item));
      const said = areShown(pictures) ? word : whyMissing(pictures) ? "no image" : "loading";
      Object.assign(tile.dataset, { value: word, id: item.id });
      this.label(tile, place, item, said, data.blind);
    });
    while (this.tiles.children.length > page.items.length) this.tiles.lastChild.remove();
    this.mark(page.cursor);
    if (focused) this.focus(page.cursor);
    const counts = [...ANSWERS, { value: null, word: "open" }].map(({ value, word }) => `${page.count(value)} ${word}`);
    this.parts.text("page-tally", counts.join(", "));
    this.parts.text("page-size", `${page.items.length} images,`);
    this.parts.hide({ "grid-scale": !hasScale(preferences) });
  }

  picturesOf(item, data, preferences) {
    return this.addresses(item, data, preferences).map(([address, alt]) => this.pictures.get(address, alt));
  }

  // An element stays where it is: a tile that is drawn anew between press and release is not clicked.
  drawPictures(tile, pictures, opacity, seen) {
    const [images, place] = [pictures.map(({ image }) => image), tile.querySelector(".picture")];
    if (images[1]) {
      images[1].style.opacity = opacity;
      lay(images[1], images[0], seen);
    }
    if (images.length !== place.children.length || images.some((image, k) => image !== place.children[k])) place.replaceChildren(...images);
    const isDone = () => areShown(pictures) || whyMissing(pictures);
    for (const picture of pictures) picture.changed = () => picture.image.isConnected && isDone() && this.changed();
  }

  // Whether this can be said of an image: anything once it is on screen, and that it is unsure where it does not come.
  takes(item, value, data, preferences) {
    if ("turned" in this.tiles.dataset) return false;
    const pictures = this.picturesOf(item, data, preferences);
    return areShown(pictures) || (value === UNSURE && Boolean(whyMissing(pictures)));
  }

  label(tile, place, item, word, blind) {
    const key = TILES[place] ?? "";
    tile.querySelector("kbd").textContent = key.toUpperCase();
    tile.querySelector("kbd").hidden = !key;
    tile.querySelector(".asked").textContent = [blind ? "" : item.label ?? "", item.empty ? "no attention" : "", item.guideline ?? ""].filter(Boolean).join(" · ");
    tile.querySelector(".word").textContent = word;
    tile.setAttribute("aria-label", `${key || place + 1}: image ${item.row}${blind ? "" : `, label ${item.label}`}: ${item.empty ? "no attention for this class, " : ""}${word}`);
  }

  mark(cursor) {
    for (const [place, tile] of [...this.tiles.children].entries()) {
      tile.tabIndex = place === cursor ? 0 : -1;
      tile.classList.toggle("at", place === cursor);
    }
  }

  focus(place) {
    this.tiles.children[place]?.focus();
  }

  // The place of the tile that an element belongs to; -1 where it belongs to none.
  placeOf(element) {
    return [...this.tiles.children].indexOf(element.closest(".tile"));
  }
}

function newTile() {
  const tile = document.createElement("button");
  tile.type = "button";
  tile.className = "tile";
  tile.innerHTML = '<span class="picture"></span><span class="caption"><kbd></kbd><span class="asked"></span><span class="word"></span></span>';
  return tile;
}
