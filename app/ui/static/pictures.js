// A gallery of tiles: a click or Enter on one sends its row up. A picture that cannot be shown leaves a neutral tile with
// the server's reason.

async function reason(url) {
  try {
    return (await (await fetch(url)).json()).error || "This picture cannot be shown.";
  } catch {
    return "This picture cannot be shown.";
  }
}

async function replace(image) {
  const missing = document.createElement("span");
  missing.className = "missing";
  missing.textContent = image.alt;
  image.replaceWith(missing);
  missing.textContent = await reason(image.src);
}

function begin(box) {
  box.addEventListener("click", ({ target }) => {
    if (target.closest("button.views")) box.slimOpen(Number(target.closest("[data-row]").dataset.row));
  });
  box.addEventListener("error", ({ target }) => target instanceof HTMLImageElement && replace(target), true); // does not bubble
}

export default function ({ data, parentElement, setTriggerValue }) {
  const box = parentElement.querySelector(".slim-gallery");
  if (!box.slimOpen) begin(box);
  box.slimOpen = (row) => setTriggerValue("open", row); // the newest one, also for tiles drawn earlier
  if (box.slimDrawn === data.html) return; // called again for a theme or a rerun: nothing flickers
  box.slimDrawn = data.html;
  box.innerHTML = data.html; // written by app/ui/images/pictures.py, which escapes every name
}
