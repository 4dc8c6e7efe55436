// What stands around the spaces: the buttons above them and the legend below, and the elements they are made of.

export function element(tag, className, text) {
  const made = document.createElement(tag);
  made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

// The buttons above the spaces: real buttons, so that they are reached by keyboard.
const TOOLS = {
  lasso: ["Lasso: draw around points", "M3 7c0-3 3-4.5 6-4.5s5 1.5 5 4-2.5 4-6 4-5-1-5-3.5zM5 10c-1 1-.5 2.5.5 2.5s1.5 1 0 2"],
  select: ["Box: drag over points", "M2.5 2.5h11v11h-11z"],
  zoom: ["Zoom: drag over a part", "M7 2.5a4.5 4.5 0 1 0 0 9 4.5 4.5 0 0 0 0-9zM10.5 10.5l3.5 3.5M5 7h4M7 5v4"],
  pan: ["Pan: drag the view, zoom with the wheel", "M8 1.5v13M1.5 8h13M8 1.5l-2 2M8 1.5l2 2M8 14.5l-2-2M8 14.5l2-2M1.5 8l2-2M1.5 8l2 2M14.5 8l-2-2M14.5 8l-2 2"],
};
const VIEWS = {
  in: ["Zoom in (Ctrl and wheel)", "M8 3v10M3 8h10", (panel) => panel.zoom(0.7)],
  out: ["Zoom out (Ctrl and wheel)", "M3 8h10", (panel) => panel.zoom(1 / 0.7)],
  home: ["Show all points", "M2.5 6v-3.5h3.5M10 2.5h3.5v3.5M13.5 10v3.5h-3.5M6 13.5h-3.5v-3.5", (panel) => panel.show(panel.home)],
};

// `use(tool)`: a tool was chosen; `move(change)`: change(panel) is wanted of every panel.
export function toolbar(host, tool, { use, move }) {
  const tools = Object.entries(TOOLS).map(([name, [label, path]]) => {
    const button = icon(label, path);
    button.dataset.tool = name;
    button.addEventListener("click", () => { use(name); mark(name); });
    return button;
  });
  const mark = (used) => tools.forEach((button) => button.setAttribute("aria-pressed", button.dataset.tool === used));
  const views = Object.values(VIEWS).map(([label, path, change]) => {
    const button = icon(label, path);
    button.addEventListener("click", () => move(change));
    return button;
  });
  mark(tool);
  host.replaceChildren(...tools, ...views);
}

export function icon(label, path) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "slim-space-tool";
  button.title = label;
  button.setAttribute("aria-label", label);
  button.innerHTML = `<svg viewBox="0 0 16 16" aria-hidden="true"><path d="${path}"/></svg>`;
  return button;
}

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
  // ``choose(mask, event)``: the images of an entry were asked for; ``hide(codes)``: those of all others are to be shown.
  constructor(host, { choose, hide }) {
    Object.assign(this, { host, choose, hide, entries: [], canHide: false });
  }

  show(colouring, codes, ink) {
    this.codes = codes;
    this.shownAs = colouring.low === null ? colouring.legend.map((entry) => entry.code) : [0, 1]; // unknown, and a scale
    const title = element("span", "slim-space-title", colouring.title);
    this.entries = colouring.legend.map((entry) => this.entry(entry, ink));
    const ramp = colouring.low === null ? [] : [scale(colouring)];
    this.host.replaceChildren(title, ...ramp, ...this.entries.map((entry) => entry.box));
    this.conceal(new Set());
  }

  entry(entry, ink) {
    const [box, dot, button] = [element("span", "slim-space-pair"), element("button", "slim-space-eye"), element("button", "slim-space-entry")];
    const counted = element("small", "", "");
    const disc = element("span", "slim-space-dot");
    disc.style.background = entry.colour === "#000000" ? ink : entry.colour;
    dot.append(disc);
    dot.title = `Hide or show: ${entry.name} (double-click: only this one)`;
    dot.setAttribute("aria-label", `Show ${entry.name}`);
    dot.addEventListener("click", () => this.conceal(toggled(this.hidden, entry.code)));
    dot.addEventListener("dblclick", () => this.alone(entry.code));
    button.append(`${entry.name} `, counted);
    for (const one of [dot, button]) one.type = "button";
    button.title = `Select: ${entry.name} (with Shift: add, with Alt: remove)`;
    button.addEventListener("click", (event) => this.choose(this.codes.map((code) => +(code === entry.code)), event));
    box.append(dot, button);
    return { ...entry, box, dot, counted };
  }

  // Only one, or all again where it is the only one.
  alone(code) {
    const others = this.shownAs.filter((one) => one !== code);
    this.conceal(new Set(others.every((one) => this.hidden.has(one)) ? [] : others));
  }

  conceal(hidden) {
    this.hidden = hidden;
    for (const { code, dot } of this.entries) {
      dot.disabled = !this.canHide;
      dot.setAttribute("aria-pressed", !hidden.has(code));
    }
    this.hide(hidden);
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

function toggled(hidden, code) {
  const after = new Set(hidden);
  if (!after.delete(code)) after.add(code);
  return after;
}

function scale({ palette, low, high }) {
  const bar = element("span", "slim-space-ramp");
  bar.style.background = `linear-gradient(90deg, ${palette.slice(1).filter((_, at) => at % 16 === 0).join(", ")})`;
  const box = element("span", "slim-space-scale");
  box.append(low.toFixed(2), bar, high.toFixed(2));
  return box;
}
