// Which points lie inside a lasso, beside the pointer or in view: plain functions over typed arrays.

const BANDS = 256; // of a polygon's height: a point is tested against the edges of its own band alone

export const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));

// One byte a point -> a bitset as base64 (17 kB for 100,000 points), and back.
export function toBits(mask) {
  const bits = new Uint8Array(Math.ceil(mask.length / 8));
  for (let id = 0; id < mask.length; id++) if (mask[id]) bits[id >> 3] |= 1 << (id & 7);
  let text = "";
  for (let at = 0; at < bits.length; at += 32768) text += String.fromCharCode(...bits.subarray(at, at + 32768));
  return btoa(text);
}

export function fromBits(text, n) {
  const bits = bytes(text || "");
  const mask = new Uint8Array(n);
  for (let id = 0; id < n; id++) mask[id] = (bits[id >> 3] >> (id & 7)) & 1;
  return mask;
}

export const countOf = (mask) => mask.reduce((sum, one) => sum + one, 0);

// How a new region joins what is selected: "replace", "add" or "subtract".
export function joined(before, region, how) {
  if (how === "add") return region.map((one, id) => one | before[id]);
  if (how === "subtract") return region.map((one, id) => before[id] & (one ^ 1));
  return region;
}

// Points inside a polygon given as {x: [...], y: [...]}, by counting the edges to the right of each.
export function insidePolygon(x, y, polygon) {
  const mask = new Uint8Array(x.length);
  const [left, right, bottom, top] = [...span(polygon.x), ...span(polygon.y)];
  const height = (top - bottom) / BANDS || 1;
  const bands = edgesByBand(polygon, bottom, height);
  for (let id = 0; id < x.length; id++) {
    const [px, py] = [x[id], y[id]];
    if (!(px >= left && px <= right && py >= bottom && py <= top)) continue;
    let crossed = 0;
    for (const [x0, y0, x1, y1] of bands[Math.min(BANDS - 1, Math.floor((py - bottom) / height))]) {
      if (y0 > py !== y1 > py && px < ((x1 - x0) * (py - y0)) / (y1 - y0) + x0) crossed ^= 1;
    }
    mask[id] = crossed;
  }
  return mask;
}

function edgesByBand({ x, y }, bottom, height) {
  const bands = Array.from({ length: BANDS }, () => []);
  const band = (value) => Math.max(0, Math.min(BANDS - 1, Math.floor((value - bottom) / height)));
  for (let k = 0; k < x.length; k++) {
    const next = (k + 1) % x.length;
    const [low, high] = [Math.min(y[k], y[next]), Math.max(y[k], y[next])];
    for (let b = band(low); b <= band(high); b++) bands[b].push([x[k], y[k], x[next], y[next]]);
  }
  return bands;
}

export function insideBox(x, y, { x: [x0, x1], y: [y0, y1] }) {
  const [left, right, bottom, top] = [...span([x0, x1]), ...span([y0, y1])];
  return Uint8Array.from(x, (px, id) => +(px >= left && px <= right && y[id] >= bottom && y[id] <= top));
}

// The lowest and highest number; a spread operator would not take 100,000.
export function span(values) {
  let [low, high] = [Infinity, -Infinity];
  for (const value of values) {
    if (value < low) low = value;
    if (value > high) high = value;
  }
  return [low, high];
}

// Ranges that show all points with some air around them.
export function fit(x, y) {
  const wide = ([low, high]) => {
    const air = (high - low) * 0.04 || 1;
    return [low - air, high + air];
  };
  return { x: wide(span(x)), y: wide(span(y)) };
}

// The id of the point nearest to (px, py) among those shown less than (rx, ry) away; -1: none.
export function nearest(x, y, px, py, rx, ry, isShown) {
  let [best, found] = [1, -1];
  for (let id = 0; id < x.length; id++) {
    const dx = (x[id] - px) / rx;
    if (dx >= 1 || dx <= -1) continue;
    const distance = dx ** 2 + ((y[id] - py) / ry) ** 2;
    if (distance < best && isShown(id)) [best, found] = [distance, id];
  }
  return found;
}

// Ids of the points in view, or null where there are more than ``limit``.
export function inView(x, y, view, limit) {
  const ids = new Uint32Array(Math.min(limit, x.length));
  let n = 0;
  for (let id = 0; id < x.length; id++) {
    if (x[id] < view.x[0] || x[id] > view.x[1] || y[id] < view.y[0] || y[id] > view.y[1]) continue;
    if (n === limit) return null;
    ids[n++] = id;
  }
  return ids.subarray(0, n);
}
