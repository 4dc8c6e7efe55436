// The image with what is drawn over it. Places on the screen become pixels of the file here, and nowhere else.

const SVG = "http://www.w3.org/2000/svg";
const CORNER_PX = 5; // on the screen
const SMALL = 4; // an image that is enlarged so many times shows its pixels

export class Surface {
  constructor(parts) {
    Object.assign(this, parts); // stage, picture, surface, failure
    [this.width, this.height] = [1, 1];
  }

  // Show an image of so many pixels from an address.
  open(width, height, address, alt) {
    Object.assign(this, { width, height });
    this.stage.style.setProperty("--ratio", String(Math.min(Math.max(width / height, 0.1), 10)));
    this.surface.setAttribute("viewBox", `0 0 ${width} ${height}`);
    this.failure.hidden = true;
    this.picture.classList.toggle("small", this.stage.getBoundingClientRect().width > SMALL * width);
    this.picture.src = address;
    this.picture.alt = alt;
  }

  fail(sentence) {
    this.picture.removeAttribute("src");
    this.surface.replaceChildren();
    this.failure.textContent = sentence;
    this.failure.hidden = false;
  }

  get scale() { return this.surface.getBoundingClientRect().width / this.width || 1; }

  // Where a pointer is, in pixels of the file.
  point(event) {
    const box = this.surface.getBoundingClientRect();
    return [((event.clientX - box.left) / box.width) * this.width, ((event.clientY - box.top) / box.height) * this.height];
  }

  // `to`: where the shape under way would go on; `cross`: where the keyboard is.
  draw(shapes, tool, to, cross) {
    const made = shapes.polygons.flatMap((polygon, place) => [
      element("polygon", { class: "halo", points: joined(polygon) }),
      element("polygon", { class: place === shapes.selected ? "shape selected" : "shape", points: joined(polygon) }),
    ]);
    this.surface.replaceChildren(...made, ...this.underWay(shapes.open, tool, to ?? cross), ...this.cross(cross));
  }

  underWay(open, tool, to) {
    if (!open.length) return [];
    const points = to ? [...open, to] : open;
    const outline = tool === "rectangle" && to ? box(open[0], to) : points;
    const corners = open.map(([cx, cy], place) =>
      element("circle", { class: place ? "corner" : "corner first", cx, cy, r: CORNER_PX / this.scale }));
    const lines = ["halo", "open"].map((name) => element("polygon", { class: name, points: joined(outline) }));
    return [...lines, ...corners];
  }

  cross(at) {
    if (!at) return [];
    const [[x, y], arm] = [at, (3 * CORNER_PX) / this.scale];
    const d = `M${x - arm} ${y}H${x + arm}M${x} ${y - arm}V${y + arm}`;
    return ["cross halo", "cross"].map((name) => element("path", { class: name, d }));
  }
}

function box([x0, y0], [x1, y1]) { return [[x0, y0], [x1, y0], [x1, y1], [x0, y1]]; }

function joined(points) { return points.map((point) => point.join(",")).join(" "); }

function element(name, attributes) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}
