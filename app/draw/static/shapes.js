// What is drawn on one image: finished polygons and the one under way, all in pixels of the file, and the way back.

const round = (value) => Math.round(value * 10) / 10;
const LEAST_PX = 1; // of the file: below, a shape has no area

export class Shapes {
  // `polygons`: [[[x, y], ...], ...], as they were kept.
  constructor(width, height, polygons = []) {
    Object.assign(this, { width, height, polygons, open: [], selected: -1, past: [], step: "" });
    this.kept = JSON.stringify(polygons);
  }

  get changed() { return JSON.stringify(this.settled) !== this.kept; }
  get isDragged() { return this.before !== undefined; }
  get canUndo() { return this.open.length > 0 || this.past.length > 0; }
  get canRemove() { return this.polygons.length > 0; }

  // What counts: a corner that is being dragged is where it was taken up.
  get settled() { return this.before ?? this.polygons; }

  // They are kept now; what was drawn meanwhile is not.
  wereKept(text) { this.kept = text; }

  clip([x, y]) {
    return [round(Math.min(Math.max(x, 0), this.width)), round(Math.min(Math.max(y, 0), this.height))];
  }

  // The corners of the selected shape; none where none is selected.
  get corners() { return this.polygons[this.selected] ?? []; }

  // Which corner of the selected shape is nearest to a point and not farther than `near`; -1 where none is.
  cornerAt(point, near) {
    const distances = this.corners.map((corner) => distance(corner, point));
    const least = Math.min(...distances);
    return least <= near ? distances.indexOf(least) : -1;
  }

  // A corner of the selected shape is taken elsewhere, from where it was when it was taken up.
  drag(place, to) {
    this.before ??= this.polygons;
    const moved = withCorner(this.before[this.selected], place, this.clip(to));
    this.polygons = this.before.map((polygon, at) => (at === this.selected ? moved : polygon));
  }

  // It is left there; false where the shape has no area any more, and is as it was.
  drop() {
    const [{ before, polygons }, moved] = [this, this.corners];
    this.letGo();
    if (!before || JSON.stringify(polygons) === JSON.stringify(before)) return true;
    if (!hasArea(moved)) return false;
    this.put(polygons, this.selected);
    return true;
  }

  // It goes back to where it was.
  letGo() {
    this.polygons = this.before ?? this.polygons;
    this.before = undefined;
  }

  // A corner of the selected shape moves by so many pixels; steps of one corner are undone together.
  nudge(place, [x, y]) {
    const [x0, y0] = this.corners[place];
    const moved = withCorner(this.corners, place, this.clip([x0 + x, y0 + y]));
    if (!hasArea(moved)) return false;
    const polygons = this.polygons.map((polygon, at) => (at === this.selected ? moved : polygon));
    this.put(polygons, this.selected, `${this.selected}.${place}`);
    return true;
  }

  // The shape after the selected one, in turn.
  selectNext() { this.selected = this.polygons.length ? (this.selected + 1) % this.polygons.length : -1; }

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
    this.put([...this.polygons, made], this.polygons.length);
    return true;
  }

  // A rectangle between two corners; false where it has no area.
  rectangle(from, to) {
    const [[x0, y0], [x1, y1]] = [this.clip(from), this.clip(to)];
    this.open = [];
    const made = [[x0, y0], [x1, y0], [x1, y1], [x0, y1]];
    if (!hasArea(made)) return false;
    this.put([...this.polygons, made], this.polygons.length);
    return true;
  }

  // `selected`: which shape is then; `step`: a change of the same name as the last one is undone with it.
  put(polygons, selected = -1, step = "") {
    if (!step || step !== this.step) this.past.push(this.polygons);
    Object.assign(this, { polygons, selected, step });
  }

  // The selected shape, or the last.
  remove() {
    if (!this.canRemove) return;
    const gone = this.selected >= 0 ? this.selected : this.polygons.length - 1;
    this.put(this.polygons.filter((_, place) => place !== gone));
  }

  undo() {
    const n = this.polygons.length;
    if (this.open.length) this.open.pop();
    else if (this.past.length) this.polygons = this.past.pop();
    if (this.polygons.length !== n) this.selected = -1;
    this.step = "";
  }

  cancel() {
    this.letGo();
    this.open = [];
    this.selected = -1;
  }

  // The uppermost shape under a point.
  select(point) {
    this.selected = this.polygons.findLastIndex((polygon) => isInside(point, polygon));
  }
}

function distance([x0, y0], [x1, y1]) { return Math.hypot(x0 - x1, y0 - y1); }

// An upright rectangle stays one: the corner opposite keeps its place, and the two others follow.
function withCorner(polygon, place, [x, y]) {
  const [x0, y0] = polygon[place];
  if (!isUpright(polygon)) return polygon.map((corner, at) => (at === place ? [x, y] : corner));
  return polygon.map(([px, py]) => [px === x0 ? x : px, py === y0 ? y : py]);
}

function isUpright(polygon) {
  const [[x0, y0], [x1, y1], [x2, y2], [x3, y3]] = polygon.length === 4 ? polygon : [[], [], [], []];
  const isLevelFirst = y0 === y1 && x1 === x2 && y2 === y3 && x3 === x0;
  return polygon.length === 4 && x0 !== x2 && y0 !== y2 && (isLevelFirst || (x0 === x1 && y1 === y2 && x2 === x3 && y3 === y0));
}

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
