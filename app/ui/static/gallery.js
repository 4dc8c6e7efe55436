// The attention gallery: tiles of pictures fetched by address. A click or Enter on a tile sends its row up.
// A picture that cannot be shown leaves a neutral tile with the server's reason.

function element(tag, className, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

async function reason(url) {
  try {
    return (await (await fetch(url)).json()).error || "This picture cannot be shown.";
  } catch {
    return "This picture cannot be shown.";
  }
}

function picture(one, row) {
  const image = element("img");
  image.loading = "lazy";
  image.decoding = "async";
  image.alt = one.alt.replace("ROW", row);
  image.src = one.address.replace("ROW", row);
  image.addEventListener("error", async () => {
    const missing = element("span", "slim-missing", image.alt);
    image.replaceWith(missing);
    missing.textContent = await reason(image.src);
  }, { once: true });
  return image;
}

function about(tile) {
  const caption = element("div", "slim-about");
  caption.append(element("b", "", tile.group), " ", element("span", "quiet", `image ${tile.row}, ${tile.split}`));
  for (const line of tile.lines) {
    const told = element("div");
    told.append(element("span", line.right ? "right" : "wrong", line.right ? "✓ " : "✗ "), line.text);
    told.append(element("span", "quiet", line.more));
    caption.append(told);
  }
  return caption;
}

function made(tile, data, open) {
  const item = element("li", "slim-tile");
  const button = element("button", "slim-open");
  button.type = "button";
  button.setAttribute("aria-label", `Open image ${tile.row}, ${tile.group}`);
  button.addEventListener("click", () => open(tile.row));
  const pictures = element("span", "slim-pictures");
  pictures.style.setProperty("--across", data.across);
  pictures.append(...data.pictures.map((one) => picture(one, tile.row)));
  button.append(pictures);
  item.append(button, about(tile));
  return item;
}

export default function ({ data, parentElement, setTriggerValue }) {
  const list = parentElement.querySelector(".slim-tiles");
  list.slimOpen = (row) => setTriggerValue("open", row); // the newest one, also for tiles drawn earlier
  const drawn = JSON.stringify(data);
  if (list.slimDrawn === drawn) return; // called again for a theme or a rerun: nothing flickers
  list.slimDrawn = drawn;
  list.style.setProperty("--tile", `${data.tile}rem`);
  list.replaceChildren(...data.tiles.map((tile) => made(tile, data, (row) => list.slimOpen(row))));
}
