// Keys of the page, and the keys that are left to what has the focus.

import { isElsewhere, keyName } from "../ui/keyboard.js";

const KEYS = {
  r: "rectangle", p: "polygon", s: "select", delete: "remove", backspace: "remove", escape: "cancel", enter: "enter",
  arrowright: "next", arrowleft: "previous", " ": "place",
};
const ARROWS = { arrowright: [1, 0], arrowleft: [-1, 0], arrowdown: [0, 1], arrowup: [0, -1] };

const NOTHING = ["BODY", "MAIN"]; // no part of the page has the focus: a click beside them gives it to the latter

const FAR_PX = 10; // of the file: how far Shift and an arrow move a corner

const HELD = ["nudge", "move", "undo", "next", "previous"]; // what goes on while its key is held down

export const isHeldTooLong = (event, action) => event.repeat && !HELD.includes(action);

// [action, direction]; undefined for a key that is not ours. `root`: what is drawn in.
export function actionOf(event, root) {
  const [target] = event.composedPath();
  if (!NOTHING.includes(target.tagName) && !event.composedPath().includes(root)) return undefined;
  if (event.altKey || isElsewhere(event)) return undefined;
  const key = keyName(event);
  if (event.ctrlKey || event.metaKey) return key === "z" && !event.shiftKey ? ["undo"] : undefined;
  const by = event.shiftKey ? FAR_PX : 1;
  if (target.dataset?.place && ARROWS[key]) return ["nudge", ARROWS[key].map((each) => each * by)];
  if (event.shiftKey && ARROWS[key]) return ["move", ARROWS[key]];
  if (target.tagName === "BUTTON" && (key === "enter" || key === " ")) return undefined; // it is pressed
  return KEYS[key] && [KEYS[key]];
}
