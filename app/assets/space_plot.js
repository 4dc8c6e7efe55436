// Attention spaces: scatter plots in WebGL with one selection shared by all panels.
// Points come from a route as float32 (all x, then all y), colours as one byte a point; the selection goes up as a
// bitset, so that 100,000 points cost 17 kB and survive any recolouring.

const libraries = new Map();

function library(url) {
  if (window.Plotly) return Promise.resolve(window.Plotly);
  if (!libraries.has(url)) {
    libraries.set(url, new Promise((resolve, reject) => {
      const script = document.createElement("script");
      script.src = url;
      script.onload = () => resolve(window.Plotly);
      script.onerror = () => { libraries.delete(url); reject(new Error("plotly.js could not be loaded")); };
      document.head.append(script);
    }));
  }
  return libraries.get(url);
}

async function fetchFloats(url) {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`the points could not be loaded (${response.status})`);
  if ((response.headers.get("content-type") || "").includes("html")) throw new Error("the points could not be loaded");
  return new Float32Array(await response.arrayBuffer());
}

const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));

export function toBits(ids, n) {
  const bits = new Uint8Array(Math.ceil(n / 8));
  for (const id of ids) bits[id >> 3] |= 1 << (id & 7);
  let text = "";
  for (let at = 0; at < bits.length; at += 32768) text += String.fromCharCode(...bits.subarray(at, at + 32768));
  return btoa(text);
}

export function fromBits(text, n) {
  const bits = bytes(text);
  const ids = [];
  for (let id = 0; id < n; id++) if (bits[id >> 3] & (1 << (id & 7))) ids.push(id);
  return ids;
}

const css = (element, name, otherwise) => getComputedStyle(element).getPropertyValue(name).trim() || otherwise;

function layout(root, height) {
  const text = css(root, "--st-text-color", "#31333f");
  const axis = { visible: false, scaleanchor: undefined };
  return {
    height, dragmode: "lasso", uirevision: "space", hovermode: "closest", showlegend: false,
    margin: { l: 4, r: 4, t: 4, b: 4 }, paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
    font: { color: text }, xaxis: { ...axis }, yaxis: { ...axis }, newselection: { line: { color: text } },
    modebar: { bgcolor: "rgba(0,0,0,0)", color: "#9aa0a6", activecolor: css(root, "--st-primary-color", "#0072b2") },
  };
}

function element(tag, className, text) {
  const made = document.createElement(tag);
  made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

class SpacePlot {
  constructor(parent) {
    this.root = parent.querySelector(".slim-space");
    this.legend = this.root.querySelector(".slim-space-legend");
    this.host = this.root.querySelector(".slim-space-panels");
    this.status = this.root.querySelector(".slim-space-status");
    this.panels = [];
    this.selected = null; // null = nothing selected, else ids
    this.drawn = "";
    this.coloured = "";
    this.busy = Promise.resolve();
    this.watch = new ResizeObserver(() => { for (const plot of this.panels) this.Plotly.Plots.resize(plot); });
    this.watch.observe(this.host);
    this.root.querySelector(".slim-space-clear").addEventListener("click", () => this.select(null));
  }

  update(data, setStateValue) {
    this.data = data;
    this.send = setStateValue;
    this.busy = this.busy.then(() => this.refresh()).catch((error) => { this.status.textContent = error.message; });
  }

  async refresh() {
    const wanted = JSON.stringify([this.data.panels.map((panel) => panel.points), this.data.height]);
    if (wanted !== this.drawn) await this.draw(wanted);
    else if (this.data.colouring.codes + this.data.colouring.title !== this.coloured) await this.recolour();
  }

  async draw(wanted) {
    this.status.textContent = "Loading the points ...";
    const [Plotly, ...points] = await Promise.all(
      [library(this.data.plotly), ...this.data.panels.map((panel) => fetchFloats(panel.points))]);
    this.Plotly = Plotly;
    this.dispose();
    if (this.selected === null && this.data.selection) this.selected = fromBits(this.data.selection, this.data.n);
    const hosts = this.data.panels.map((panel) => this.frame(panel)); // all first: none changes its width later
    for (const [at, host] of hosts.entries()) await this.plot(host, points[at]);
    this.drawn = wanted;
    this.rows = undefined;
    this.drawLegend();
    this.count();
    this.root.dataset.ready = "true";
  }

  frame(panel) {
    const box = element("figure", "slim-space-panel");
    const plot = element("div", "slim-space-plot");
    plot.setAttribute("role", "img");
    plot.setAttribute("aria-label", `${panel.title}: ${this.data.n} images as points, coloured by ${this.data.colouring.title}`);
    box.append(element("figcaption", "", panel.title), plot);
    this.host.append(box);
    return plot;
  }

  async plot(plot, points) {
    const n = this.data.n;
    const trace = {
      type: "scattergl", mode: "markers", x: points.subarray(0, n), y: points.subarray(n, 2 * n),
      hoverinfo: "none", marker: { ...this.marker(), size: n > 20000 ? 3 : 6, line: { width: 0 } },
      selected: { marker: { opacity: 1 } }, unselected: { marker: { color: "#9aa0a6", opacity: 0.12 } },
    };
    if (this.selected) trace.selectedpoints = this.selected;
    await this.Plotly.newPlot(plot, [trace], layout(this.root, this.data.height), {
      displaylogo: false, scrollZoom: true,
      modeBarButtonsToRemove: ["toImage", "autoScale2d", "sendChartToCloud", "hoverClosestCartesian", "hoverCompareCartesian"],
    });
    plot.on("plotly_selected", (event) => { if (event) this.select([...(plot.data[0].selectedpoints || [])], plot); });
    plot.on("plotly_deselect", () => this.select(null, plot));
    plot.on("plotly_hover", (event) => this.hover(event));
    plot.on("plotly_unhover", () => this.tip?.remove());
    this.panels.push(plot);
  }

  marker() {
    const { codes, scale, levels, title } = this.data.colouring;
    this.coloured = codes + title;
    this.codes = bytes(codes);
    return { color: this.codes, colorscale: scale, cmin: -0.5, cmax: levels - 0.5, showscale: false, opacity: 0.85 };
  }

  async recolour() {
    const marker = this.marker();
    for (const plot of this.panels) {
      await this.Plotly.restyle(plot, {
        "marker.color": [marker.color], "marker.colorscale": [marker.colorscale], "marker.cmax": [marker.cmax],
      }, [0]);
    }
    this.drawLegend();
  }

  select(ids, source) {
    this.selected = ids && ids.length ? ids : null;
    for (const plot of this.panels) {
      if (plot !== source) this.Plotly.restyle(plot, { selectedpoints: [this.selected] }, [0]);
      if (plot !== source || !this.selected) this.Plotly.relayout(plot, { selections: [] });
    }
    this.count();
    const n = this.data.n;
    this.send("selection", this.selected ? { n, count: ids.length, bits: toBits(ids, n) } : { n, count: 0, bits: "" });
  }

  count() {
    const chosen = this.selected ? this.selected.length : 0;
    this.root.querySelector(".slim-space-clear").hidden = !chosen;
    this.status.textContent = chosen
      ? `${chosen.toLocaleString("en")} of ${this.data.n.toLocaleString("en")} images selected`
      : `${this.data.n.toLocaleString("en")} images. Draw a lasso, or click a colour below to select.`;
  }

  drawLegend() {
    const { legend, low, high, scale, title } = this.data.colouring;
    this.legend.replaceChildren(element("span", "slim-space-title", title));
    if (low !== null) this.legend.append(this.ramp(scale, low, high));
    for (const entry of legend) this.legend.append(this.entry(entry));
  }

  entry(entry) {
    const button = element("button", "slim-space-entry");
    const dot = element("span", "slim-space-dot");
    dot.style.background = entry.colour;
    button.append(dot, `${entry.name} `, element("small", "", entry.n.toLocaleString("en")));
    button.type = "button";
    button.title = `Select the ${entry.n} images: ${entry.name}`;
    button.addEventListener("click", () => {
      const ids = [];
      this.codes.forEach((code, id) => { if (code === entry.code) ids.push(id); });
      this.select(ids);
    });
    return button;
  }

  ramp(scale, low, high) {
    const bar = element("span", "slim-space-ramp");
    const stops = scale.slice(2).map(([at, colour]) => `${colour} ${Math.round(at * 100)}%`);
    bar.style.background = `linear-gradient(90deg, ${stops.join(", ")})`;
    const box = element("span", "slim-space-scale");
    box.append(low.toFixed(2), bar, high.toFixed(2));
    return box;
  }

  async hover(event) {
    const at = event.points[0].pointNumber;
    if (!event.event) return;
    this.rows ??= fetchFloats(this.data.rows);
    const row = (await this.rows)[at];
    this.tip?.remove();
    this.tip = element("div", "slim-space-tip");
    const image = element("img", "");
    image.alt = `image ${row}`;
    image.src = this.data.image.replace("ROW", row);
    this.tip.append(image);
    const right = event.event.clientX > window.innerWidth / 2;
    this.tip.style.left = `${event.event.clientX + (right ? -156 : 16)}px`;
    this.tip.style.top = `${Math.min(event.event.clientY + 16, window.innerHeight - 160)}px`;
    this.root.append(this.tip);
  }

  dispose() {
    for (const plot of this.panels) this.Plotly.purge(plot);
    this.panels = [];
    this.tip?.remove();
    this.host.replaceChildren();
  }
}

export default function ({ data, parentElement, setStateValue }) {
  const plot = (parentElement.__slimSpace ??= new SpacePlot(parentElement));
  plot.update(data, setStateValue);
  return () => {
    if (plot.root.isConnected) return;
    plot.watch.disconnect();
    plot.dispose();
    delete parentElement.__slimSpace;
  };
}
