// What is drawn on one image: finished polygons and the one under way, all in pixels of the file, and the way back.

const round = (value) => Math.round(value * 10) / 10;
const LEAST_PX = 1; // of the file: below, a shape has no area

export class Shapes {
  // `polygons`: [[[x, y], ...], ...], as they were kept.
  constructor(width, height, polygons = []) {
    Object.assign(this, { width, height, polygons, open: [], selected: -1, past: [] });
    this.kept = JSON.stringify(polygons);
  }

  get changed() { return JSON.stringify(this.polygons) !== this.kept; }
  get canUndo() { return this.open.length > 0 || this.past.length > 0; }
  get canRemove() { return this.polygons.length > 0; }

  // They are kept now; what was drawn meanwhile is not.
  wereKept(text) { this.kept = text; }

  clip([x, y]) {
    return [round(Math.min(Math.max(x, 0), this.width)), round(Math.min(Math.max(y, 0), this.height))];
  }

  // A corner of the shape under way; one in the place of the last is that one.
  corner(point, near) {
    const at = this.clip(point);
    const last = this.open.at(-1);
    if (!last || distance(last, at) > near / 4) this.open.push(at);
    this.selected = -1;
  }

  // Whether a point is so near to the first corner that it closes the polygon.
  closes(point, near) { return this.open.length > 2 && distance(this.open[0], point) <= near; }

  // The polygon under way is finished; false where it has too few corners or no area.
  close() {
    const made = this.open;
    if (made.length < 3 || !hasArea(made)) return false;
    this.open = [];
    this.put([...this.polygons, made]);
    return true;
  }

  // A rectangle between two corners; false where it has no area.
  rectangle(from, to) {
    const [[x0, y0], [x1, y1]] = [this.clip(from), this.clip(to)];
    this.open = [];
    const made = [[x0, y0], [x1, y0], [x1, y1], [x0, y1]];
    if (!hasArea(made)) return false;
    this.put([...this.polygons, made]);
    return true;
  }

  put(polygons) {
    this.past.push(this.polygons);
    this.polygons = polygons;
    this.selected = -1;
  }

  // The selected shape, or the last.
  remove() {
    if (!this.canRemove) return;
    const gone = this.selected >= 0 ? this.selected : this.polygons.length - 1;
    this.put(this.polygons.filter((_, place) => place !== gone));
  }

  undo() {
    if (this.open.length) this.open.pop();
    else if (this.past.length) this.polygons = this.past.pop();
    this.selected = -1;
  }

  cancel() {
    this.open = [];
    this.selected = -1;
  }

  // The uppermost shape under a point.
  select(point) {
    this.selected = this.polygons.findLastIndex((polygon) => isInside(point, polygon));
  }
}

function distance([x0, y0], [x1, y1]) { return Math.hypot(x0 - x1, y0 - y1); }

function hasArea(points) {
  const spread = [0, 1].map((axis) => {
    const values = points.map((point) => point[axis]);
    return Math.max(...values) - Math.min(...values);
  });
  return Math.min(...spread) >= LEAST_PX;
}

// An odd number of edges lies to its left.
function isInside([x, y], polygon) {
  let inside = false;
  polygon.forEach(([x0, y0], place) => {
    const [x1, y1] = polygon[(place + 1) % polygon.length];
    if ((y0 > y) !== (y1 > y) && x < x0 + ((y - y0) * (x1 - x0)) / (y1 - y0)) inside = !inside;
  });
  return inside;
}
