// Keys of the page, and the keys that are left to what has the focus.

import { isElsewhere } from "../ui/elsewhere.js";

const KEYS = {
  r: "rectangle", p: "polygon", s: "select", delete: "remove", backspace: "remove", escape: "cancel", enter: "enter",
  arrowright: "next", arrowleft: "previous", " ": "place",
};
const ARROWS = { arrowright: [1, 0], arrowleft: [-1, 0], arrowdown: [0, 1], arrowup: [0, -1] };

const NOTHING = ["BODY", "MAIN"]; // no part of the page has the focus: a click beside them gives it to the latter

const FAR_PX = 10; // of the file: how far Shift and an arrow move a corner

// [action, direction]; undefined for a key that is not ours. `root`: what is drawn in.
export function actionOf(event, root) {
  const [target, key] = [event.composedPath()[0], event.key.toLowerCase()];
  if (!NOTHING.includes(target.tagName) && !event.composedPath().includes(root)) return undefined;
  if (event.altKey || isElsewhere(event)) return undefined;
  if (event.ctrlKey || event.metaKey) return key === "z" && !event.shiftKey ? ["undo"] : undefined;
  const by = event.shiftKey ? FAR_PX : 1;
  if (target.dataset?.place && ARROWS[key]) return ["nudge", ARROWS[key].map((each) => each * by)];
  if (event.shiftKey && ARROWS[key]) return ["move", ARROWS[key]];
  if (target.tagName === "BUTTON" && (key === "enter" || key === " ")) return undefined; // it is pressed
  return KEYS[key] && [KEYS[key]];
}
