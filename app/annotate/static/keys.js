// Keys, and the swipe that stands for two of them.

import { isElsewhere, keyName } from "../ui/keyboard.js";
import { ANSWERS } from "./answer_values.js";

const KEYS = {
  ...Object.fromEntries(ANSWERS.map(({ key, word }) => [key, word])), arrowright: "right", arrowleft: "wrong",
  s: "skip", z: "undo", h: "view", " ": "plain", b: "beside", g: "grid", "+": "more", "=": "more", "-": "less", "?": "keys", escape: "close",
};
// In the grid the keys of the answers answer the image at the cursor, as they do one by one.
const GRID = {
  arrowright: "next", arrowleft: "previous", arrowup: "up", arrowdown: "down", " ": "flip", enter: "confirm", a: "rest",
};
// What is written on the tiles, as far as there are letters: none of them means anything else in the grid.
export const TILES = [..."qwrtyiodfjklcvnmx"];
const SWIPE_PX = 60;

// Keys that mean something to what has the focus, which is not ours to take: it is pressed, opened or moved through.
const PRESSED = 'button:not(.tile), summary, [role="button"], [role="checkbox"], [role="switch"], [role="radio"], [role="tab"]';
const MOVED = '[role="tab"], [role="radio"], [role="slider"], [role="spinbutton"], [role="combobox"], [role="grid"], canvas';
const TAKEN = {
  enter: `${PRESSED}, a`, " ": PRESSED, arrowright: MOVED, arrowleft: MOVED, arrowup: MOVED, arrowdown: MOVED,
};

// [action, place of the tile]; undefined for a key that is not ours.
export function actionOf(event, grid) {
  if (event.ctrlKey || event.metaKey || event.altKey || isElsewhere(event)) return undefined;
  const key = keyName(event);
  if (TAKEN[key] && event.composedPath()[0].closest?.(TAKEN[key])) return undefined;
  if (!grid) return KEYS[key] && [KEYS[key]];
  if (GRID[key]) return [GRID[key]];
  const place = TILES.indexOf(key);
  if (place >= 0) return ["tile", place];
  return KEYS[key] && [KEYS[key]];
}

export function onSwipe(element, act, signal) {
  let from = null, isSideways = false;
  const end = () => {
    from = null;
    element.style.transform = "";
  };
  const isOf = (event) => event.pointerId === from?.pointerId;
  const listen = (type, handler) => element.addEventListener(type, handler, { signal });
  listen("pointerdown", (event) => {
    if (event.pointerType !== "touch") return;
    end();
    if (event.isPrimary) from = event; // two fingers pinch or tap: that is no swipe
  });
  listen("pointermove", (event) => {
    if (!isOf(event)) return;
    const dx = event.clientX - from.clientX;
    isSideways = Math.abs(dx) > Math.abs(event.clientY - from.clientY);
    element.style.transform = `translateX(${dx / 3}px)`;
  });
  // Else the browser takes a swift one for the start of scrolling, and the next tap for its end: no button would hear it.
  element.addEventListener("touchmove", (event) => from && isSideways && event.preventDefault(), { signal, passive: false });
  listen("pointerup", (event) => {
    if (!isOf(event)) return;
    const [dx, dy] = [event.clientX - from.clientX, event.clientY - from.clientY];
    end();
    if (Math.abs(dx) > SWIPE_PX && Math.abs(dx) > 2 * Math.abs(dy)) act(dx > 0 ? "right" : "wrong");
  });
  listen("pointercancel", end);
}
