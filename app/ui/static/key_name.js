// A letter's or digit's key by what it types, else (another script, a shifted digit row) by where it lies.
export function keyName(event) {
  const typed = event.key.toLowerCase();
  if (/^[a-z0-9+=?\- ]$/.test(typed) || typed.length > 1) return typed;
  const physical = /^(?:Key|Digit)([A-Z0-9])$/.exec(event.code);
  return physical ? physical[1].toLowerCase() : typed;
}
