// The name under which answers are kept: asked for once, accepted or refused by the server, remembered by this browser.

const YEAR_S = 31536000;
const AGAIN_MS = 2000;
const TRIES = 10;
let pending = null; // until the server has accepted or refused a name: {name, before: who it was, trigger}

// `text`: of the field, where a person has asked for the form. One that opens by itself takes no focus from elsewhere.
export function open(parts, text = null) {
  const field = parts.find("who-name");
  parts.hide({ who: false, work: true, grid: true, rest: true, head: true });
  if (text !== null) field.value = text;
  if (text !== null || document.activeElement === document.body) field.focus({ preventScroll: true });
  parts.root.dataset.ready = "name";
}

// The name that was typed, as the server spells it.
export function read(parts) {
  explain(parts, "");
  return parts.find("who-name").value.trim().replace(/\s+/g, " ").normalize();
}

export function submit(name, before, trigger) {
  pending = { name, before, trigger };
  send(pending, TRIES);
}

// Streamlit drops a component's trigger where another follows before the page has run: the name is sent again.
function send(request, tries) {
  if (request !== pending || !tries) return;
  request.trigger("name", request.name);
  setTimeout(() => send(request, tries - 1), AGAIN_MS);
}

// What the server says: only a name that it has accepted is remembered.
export function settle(parts, { who, refused }, trigger) {
  if (refused) {
    explain(parts, refused);
    pending = null;
  }
  if (!pending) return;
  pending.trigger = trigger;
  if (!who || who === pending.before) return;
  document.cookie = `slim-name=${encodeURIComponent(who)}; path=/; max-age=${YEAR_S}; SameSite=Lax`;
  pending = null;
}

function explain(parts, text) {
  parts.text("who-why", text);
  parts.hide({ "who-why": !text });
}
