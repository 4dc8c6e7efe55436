// Buttons about images: until a frame has had these, a press on one of the buttons or its shortcut does nothing.

const PATIENCE_MS = 30000; // a request that takes longer is made again; the next one has twice the time

const isComing = (image) => !image.complete || !image.src;

function follow(image, patience) {
  setTimeout(() => {
    if (!image.isConnected || !isComing(image)) return;
    const address = image.src;
    image.removeAttribute("src"); // ends the request, once this task has ended
    setTimeout(() => {
      image.src = address;
      follow(image, 2 * patience);
    });
  }, patience);
}

function begin(box, scope) {
  const images = () => [...scope.querySelectorAll(".slim-pictures img")];
  const followed = new WeakSet();
  const areComing = () => images().some(isComing);
  let [seen, seenAt, frame] = [[], Infinity]; // the images there are; when a frame had all of them, by performance.now()
  const look = () => {
    const there = images();
    if (there.length !== seen.length || there.some((image, k) => image !== seen[k])) seenAt = Infinity;
    seen = there;
    box.toggleAttribute("data-seen", seenAt < Infinity);
    if (seenAt === Infinity && !areComing()) frame ??= requestAnimationFrame(take);
  };
  const take = () => {
    frame = undefined;
    if (!areComing()) seenAt = performance.now();
    look();
  };
  // A slow machine hears later of a press than it was made: what came on screen meanwhile is not what it was about.
  const isEarly = ({ timeStamp }) => areComing() || timeStamp < seenAt;
  const update = () => {
    for (const image of images()) {
      image.loading = "eager"; // those below the fold are awaited, too
      if (!followed.has(image)) follow(image, PATIENCE_MS);
      followed.add(image);
    }
    box.hidden = !areComing();
    look();
  };
  const isShortcut = (key) => box.slim.shortcuts.includes(key?.toLowerCase());
  const isPress = ({ type, target, key, code }) => (type === "click"
    ? scope.contains(target) && target.closest(box.slim.buttons)
    : isShortcut(key) || isShortcut(code?.replace(/^(Key|Digit)/, "")));
  const stop = new AbortController();
  const hold = (event) => {
    if (!scope.isConnected) stop.abort();
    else if (isEarly(event) && isPress(event)) event.stopImmediatePropagation(); // what is typed into a field comes there
  };
  const early = { capture: true, signal: stop.signal };
  for (const type of ["click", "keydown"]) window.addEventListener(type, hold, early);
  for (const type of ["load", "error"]) scope.addEventListener(type, update, early);
  new MutationObserver(update).observe(scope, { childList: true, subtree: true });
  update();
}

export default function ({ data, parentElement }) {
  const box = parentElement.querySelector(".slim-awaited");
  const scope = box.closest('[class*="st-key-awaits-"]');
  if (!scope) return; // of the section that was left: Streamlit draws it elsewhere once more before it goes
  const isNew = !box.slim;
  box.slim = data;
  if (isNew) begin(box, scope);
}
