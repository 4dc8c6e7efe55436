"""What last reached a page, and what became of its address, for the report of a failed test: a press that was lost on
its way is not among it."""

from __future__ import annotations

from playwright.sync_api import Error, Page

RECORD = """(() => {
  const name = (part) => [part?.tagName ?? "the document", part?.id, part?.dataset?.testid].filter(Boolean).join(" ");
  const last = [];
  const note = (text) => {
    last.push(`${Math.round(performance.now())} ms ${text}`);
    last.splice(0, last.length - 40);
  };
  const pressed = (event) => note(`${event.type} ${event.key ?? `${event.clientX}, ${event.clientY}`} `
    + `on ${name(event.composedPath()[0])}`);
  for (const type of ["keydown", "mousedown", "mouseup", "click"]) window.addEventListener(type, pressed, true);
  for (const name of ["pushState", "replaceState"]) {
    const change = history[name];
    history[name] = function (...given) {
      note(`${name} ${given[2]}`);
      return change.apply(this, given);
    };
  }
  const state = "data-test-script-state";
  const ran = ([{ target }]) => note(`the script is ${target.getAttribute(state)}`);
  new MutationObserver(ran).observe(document, { subtree: true, attributeFilter: [state] });
  window.slimReceived = () => [...last, `now, at ${Math.round(performance.now())} ms: `
    + `the focus is on ${name(document.activeElement)}`];
})()"""


def by(page: Page) -> str:
    """One line each, in milliseconds since the page was opened."""
    try:
        return "\n".join(page.evaluate("slimReceived()"))
    except Error as error:
        return f"It does not say: {error.message}"
