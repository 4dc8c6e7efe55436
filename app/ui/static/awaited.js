// Buttons about images: until these are there, a press on one of the buttons or its shortcut does nothing.

function begin(box) {
  const scope = box.closest('[class*="st-key-awaits-"]');
  const images = () => [...scope.querySelectorAll(".slim-pictures img")];
  const areComing = () => images().some((image) => !image.complete);
  const update = () => {
    for (const image of images()) image.loading = "eager"; // those below the fold are awaited, too
    box.hidden = !areComing();
  };
  const isShortcut = (key) => box.slim.shortcuts.includes(key?.toLowerCase());
  const isPress = ({ type, target, key, code }) => (type === "click"
    ? scope.contains(target) && target.closest(box.slim.buttons)
    : isShortcut(key) || isShortcut(code?.replace(/^(Key|Digit)/, "")));
  const stop = new AbortController();
  const hold = (event) => {
    if (!scope.isConnected) stop.abort();
    else if (areComing() && isPress(event)) event.stopImmediatePropagation(); // what is typed into a field comes there
  };
  const early = { capture: true, signal: stop.signal };
  for (const type of ["click", "keydown"]) window.addEventListener(type, hold, early);
  for (const type of ["load", "error"]) scope.addEventListener(type, update, early);
  new MutationObserver(update).observe(scope, { childList: true, subtree: true });
  update();
}

export default function ({ data, parentElement }) {
  const box = parentElement.querySelector(".slim-awaited");
  const isNew = !box.slim;
  box.slim = data;
  if (isNew) begin(box);
}
