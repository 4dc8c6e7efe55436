// The image with what is drawn over it. Places on the screen become pixels of the file here, and nowhere else.

const SVG = "http://www.w3.org/2000/svg";
const CORNER_PX = 5; // on the screen
const GRIP_PX = 6;
const GRIP = { class: "grip", tabindex: "0", role: "button" };
const SMALL = 4; // an image that is enlarged so many times shows its pixels

export class Surface {
  constructor(parts) {
    Object.assign(this, parts); // stage, picture, surface, failure
    [this.width, this.height] = [1, 1];
    [this.drawn, this.grips] = [element("g", {}), element("g", {})];
    this.surface.append(this.drawn, this.grips);
  }

  // Show an image of so many pixels, which is decoded: it is on screen with the next frame.
  open(width, height, picture, alt) {
    Object.assign(this, { width, height });
    this.stage.style.setProperty("--ratio", String(Math.min(Math.max(width / height, 0.1), 10)));
    this.surface.setAttribute("viewBox", `0 0 ${width} ${height}`);
    this.failure.hidden = true;
    this.picture.replaceWith(picture);
    this.picture = Object.assign(picture, { alt, draggable: false });
    picture.classList.toggle("small", this.stage.getBoundingClientRect().width > SMALL * width);
  }

  fail(sentence) {
    this.picture.removeAttribute("src");
    this.drawn.replaceChildren();
    this.grips.replaceChildren();
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
    this.drawn.replaceChildren(...made, ...this.underWay(shapes.open, tool, to ?? cross), ...this.cross(cross));
    this.drawGrips(shapes.open.length ? [] : shapes.corners);
  }

  // The corners that can be moved. An element stays while its corner does: it may have the focus.
  drawGrips(corners) {
    while (this.grips.childElementCount > corners.length) this.grips.lastElementChild.remove();
    while (this.grips.childElementCount < corners.length) this.grips.append(element("circle", GRIP));
    [...this.grips.children].forEach((grip, place) => {
      const [cx, cy] = corners[place];
      const name = `Corner ${place + 1} of ${corners.length} at ${cx}, ${cy}: arrows move it`;
      set(grip, { cx, cy, r: GRIP_PX / this.scale, "data-place": place, "aria-label": name });
    });
  }

  // Which grip has the focus; -1 where none has.
  get focused() { return [...this.grips.children].findIndex((grip) => grip.matches(":focus")); }

  focusGrip(place) { this.grips.children[place]?.focus({ preventScroll: true }); }

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
  set(made, attributes);
  return made;
}

function set(made, attributes) {
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
}
