// Keys of the page: what one is called, and which are for something else than our part of it: somebody types, or has
// something open in front of it.

const OPEN = '[data-testid="stPopoverBody"], [data-testid="stDialog"], [role="listbox"], [role="menu"]';
const isTyping = (target) => target.isContentEditable || ["INPUT", "TEXTAREA", "SELECT"].includes(target.tagName);

export const isElsewhere = (event) => isTyping(event.composedPath()[0]) || document.querySelector(OPEN) !== null;

// A letter's or digit's key by what it types, else (another script, a shifted digit row) by where it lies.
export function keyName(event) {
  const typed = event.key.toLowerCase();
  if (/^[a-z0-9+=?\- ]$/.test(typed) || typed.length > 1) return typed;
  const physical = /^(?:Key|Digit)([A-Z0-9])$/.exec(event.code);
  return physical ? physical[1].toLowerCase() : typed;
}
