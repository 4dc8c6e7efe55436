// Tab goes from the button of an open popover into it, and at its end to what follows the button: Streamlit draws a
// popover at the end of the document, behind everything else that can have the focus.
(() => {
  const REACHED = 'a[href], button:enabled, input:enabled, select:enabled, textarea:enabled, summary, [tabindex="0"]';
  const reachedIn = (box) => [...box.querySelectorAll(REACHED)].filter((one) => one.tabIndex >= 0 && one.checkVisibility());
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Tab" || event.ctrlKey || event.altKey || event.metaKey || event.defaultPrevented) return;
    const button = document.querySelector('[data-testid="stPopoverButton"][aria-expanded="true"]');
    const body = document.querySelector('[data-testid="stPopoverBody"]'); // no two are open at a time
    const reached = button && body ? reachedIn(body) : [];
    if (!reached.length) return;
    const focused = document.activeElement;
    if (event.shiftKey ? focused === reached[0] : focused === button) {
      event.preventDefault();
      (event.shiftKey ? button : reached[0]).focus();
    } else if (!event.shiftKey && focused === reached.at(-1)) button.focus(); // from where the browser goes on
  });
})();
