// The name under which answers are kept: asked for once, taken or refused by the server, remembered by this browser.

const YEAR_S = 31536000;
const AGAIN_MS = 2000;
const TRIES = 10;
let given = null; // until the server has taken or refused a name: {name, was: who it was before, app}

export function ask(app, text = null) {
  app.find("who").hidden = false;
  for (const part of ["work", "grid", "rest", "head"]) app.find(part).hidden = true;
  if (text !== null) app.find("who-name").value = text;
  app.root.dataset.ready = "name";
}

export function give(app) {
  const name = app.find("who-name").value.trim().replace(/\s+/g, " ");
  why(app, "");
  if (!name) return;
  if (name === app.data.who) return app.start(); // it stays as it was
  given = { name, was: app.data.who, app };
  send(given, TRIES);
}

// Streamlit drops what a component has told where it tells something else before the page has run: it is told again.
function send(what, tries) {
  if (what !== given || !tries) return;
  what.app.trigger("name", what.name);
  setTimeout(() => send(what, tries - 1), AGAIN_MS);
}

// What the server says: only a name that it has taken is remembered.
export function judged(app) {
  const { who, refused } = app.data;
  if (refused) {
    why(app, refused);
    given = null;
  }
  if (!given) return;
  given.app = app;
  if (!who || who === given.was) return;
  document.cookie = `slim-name=${encodeURIComponent(who)}; path=/; max-age=${YEAR_S}; SameSite=Lax`;
  given = null;
}

function why(app, text) {
  app.text("who-why", text);
  app.find("who-why").hidden = !text;
}
