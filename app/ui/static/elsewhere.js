// Keys that are for something else than our part of the page: somebody types, or has something open in front of it.

const OPEN = '[data-testid="stPopoverBody"], [data-testid="stDialog"], [role="listbox"], [role="menu"]';
const isTyping = (target) => target.isContentEditable || ["INPUT", "TEXTAREA", "SELECT"].includes(target.tagName);

export const isElsewhere = (event) => isTyping(event.composedPath()[0]) || document.querySelector(OPEN) !== null;
