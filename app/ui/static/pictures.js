// A gallery of tiles: a click or Enter on one sends its row up. A picture that cannot be shown leaves a neutral tile with
// the server's reason; where the server cannot be reached, it comes once it can.

const AGAIN_MS = 5000; // between two requests of one that no server has answered
const UNKNOWN = "This picture cannot be shown.";
const AWAY = "No connection to the server. The picture comes once it is back.";

// Until it may be back: the browser knows when its network is.
const pause = () => new Promise((resolve) => {
  setTimeout(resolve, AGAIN_MS);
  window.addEventListener("online", resolve, { once: true, signal: AbortSignal.timeout(AGAIN_MS) });
});

async function replace(image) {
  const missing = document.createElement("span");
  missing.className = "missing";
  missing.textContent = image.alt;
  image.replaceWith(missing);
  let reply = await fetch(image.src).catch(() => null);
  const wasAway = !reply;
  while (!reply) {
    missing.textContent = AWAY;
    await pause();
    if (!missing.isConnected) return;
    reply = await fetch(image.src).catch(() => null);
  }
  if (wasAway && reply.ok) {
    missing.replaceWith(image);
    image.src = image.src; // asks again
  } else missing.textContent = (await reply.json().catch(() => ({}))).error || UNKNOWN;
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
  box.innerHTML = data.html; // written by app/ui/pictures.py, which escapes every name
}
