// What the colours mean, and how many images have each: every entry is a button that selects them.

import { element } from "./element.js";

// (levels x 4) bytes RGBA of "#rrggbb" texts. Black is the page's own ink, which shows on a dark page too.
export function paletteOf(colours, ink) {
  const shown = colours.map((colour) => (colour === "#000000" ? ink : colour));
  return Uint8Array.from(shown.flatMap((colour) => [...rgb(colour), 255]));
}

function rgb(colour) {
  const hex = /^#(..)(..)(..)$/.exec(colour);
  if (hex) return hex.slice(1).map((part) => parseInt(part, 16));
  return (colour.match(/[\d.]+/g) || [0, 0, 0]).slice(0, 3).map(Number);
}

export class Legend {
  // ``choose(mask, event)``: the images of an entry were asked for.
  constructor(host, choose) {
    [this.host, this.choose] = [host, choose];
    this.entries = [];
  }

  show(colouring, codes, ink) {
    this.codes = codes;
    const title = element("span", "slim-space-title", colouring.title);
    this.entries = colouring.legend.map((entry) => this.entry(entry, ink));
    const ramp = colouring.low === null ? [] : [scale(colouring)];
    this.host.replaceChildren(title, ...ramp, ...this.entries.map((entry) => entry.button));
  }

  entry(entry, ink) {
    const button = element("button", "slim-space-entry");
    const dot = element("span", "slim-space-dot");
    dot.style.background = entry.colour === "#000000" ? ink : entry.colour;
    const counted = element("small", "", "");
    button.append(dot, `${entry.name} `, counted);
    button.type = "button";
    button.title = `Select: ${entry.name} (with Shift: add, with Alt: remove)`;
    button.addEventListener("click", (event) => this.choose(this.codes.map((code) => +(code === entry.code)), event));
    return { ...entry, button, counted };
  }

  // How many of each entry are selected; ``mask`` null: nothing is.
  count(mask) {
    const chosen = new Uint32Array(256);
    if (mask && this.codes) for (let id = 0; id < mask.length; id++) chosen[this.codes[id]] += mask[id];
    for (const { code, n, counted } of this.entries) {
      counted.textContent = mask ? `${chosen[code].toLocaleString("en")} of ${n.toLocaleString("en")}` : n.toLocaleString("en");
    }
  }
}

function scale({ palette, low, high }) {
  const bar = element("span", "slim-space-ramp");
  bar.style.background = `linear-gradient(90deg, ${palette.slice(1).filter((_, at) => at % 16 === 0).join(", ")})`;
  const box = element("span", "slim-space-scale");
  box.append(low.toFixed(2), bar, high.toFixed(2));
  return box;
}
