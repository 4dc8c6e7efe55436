// Many images at once, as tiles: each shows its value, if it has one, and the key that flips it.

import { ANSWERS, wordOf } from "./answer_values.js";
import { TILES } from "./keys.js";
import { settled } from "./pictures.js";
import { imageAddress } from "../ui/image_address.js";
import { hasScale, heatOpacity, overName, viewOf } from "./views.js";

export class Grid {
  // `failed()`: a picture on the page cannot be shown.
  constructor(parts, pictures, failed) {
    Object.assign(this, { parts, pictures, failed });
    this.tiles = parts.find("tiles");
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
      const pictures = this.addresses(item, data, preferences).map(([address, alt]) => this.pictures.get(address, alt));
      const tile = this.tiles.children[place] ?? this.tiles.appendChild(newTile());
      const failed = this.drawPictures(tile, pictures, heatOpacity(preferences));
      if (failed) page.cannotShow(item);
      this.label(tile, place, item, wordOf(page.value(item)), failed, data.blind);
    });
    while (this.tiles.children.length > page.items.length) this.tiles.lastChild.remove();
    this.mark(page.cursor);
    if (focused) this.focus(page.cursor);
    const counts = [...ANSWERS, { value: null, word: "open" }].map(({ value, word }) => `${page.count(value)} ${word}`);
    this.parts.text("page-tally", counts.join(", "));
    this.parts.hide({ "grid-scale": !hasScale(preferences) });
  }

  // True where one of them cannot be shown.
  drawPictures(tile, pictures, opacity) {
    const [over, heat] = pictures;
    if (heat) heat.image.style.opacity = opacity;
    tile.querySelector(".picture").replaceChildren(...pictures.map((picture) => picture.image));
    if (!settled(over)) over.changed = ({ state }) => state === "failed" && over.image.isConnected && this.failed();
    return pictures.some((picture) => picture.state === "failed");
  }

  // Not where a picture of it has failed to come, also if it is asked for again.
  isShown(item, data, preferences) {
    return this.addresses(item, data, preferences).every(([address, alt]) => !this.pictures.get(address, alt).sentence);
  }

  label(tile, place, item, word, failed, blind) {
    Object.assign(tile.dataset, { value: word, id: item.id });
    tile.classList.toggle("failed", failed);
    tile.classList.toggle("empty", item.empty === true);
    const key = TILES[place] ?? "";
    tile.querySelector("kbd").textContent = key.toUpperCase();
    tile.querySelector("kbd").hidden = !key;
    tile.querySelector(".asked").textContent = blind ? "" : item.label ?? "";
    tile.querySelector(".word").textContent = failed ? "no image" : word;
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
  tile.innerHTML = '<span class="picture"></span><kbd></kbd><span class="asked"></span><span class="word"></span>';
  return tile;
}
