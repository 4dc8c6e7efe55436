// The part Streamlit carries inside the page: it fetches the real module by its address, and hands each call on. Where a
// line fails, or a dashboard is started again, it asks again: nobody else would.

const RETRY_MS = [500, 1000, 2000, 5000];
const modules = new Map(); // address -> the module, once it is here
const newest = new WeakMap(); // element -> its last call: one before it has nothing to add

export default async function (component) {
  const { parentElement } = component;
  newest.set(parentElement, component);
  const isNewest = () => newest.get(parentElement) === component;
  const url = new URL(component.data.module, document.baseURI).href;
  const module = modules.get(url) ?? await load(url, parentElement, isNewest);
  if (!module || !isNewest()) return undefined;
  try {
    return module.mount(component);
  } catch (error) {
    say(parentElement, "This part of the page could not be shown: reload the page.", error);
    return undefined;
  }
}

// Undefined where nobody waits for it any more.
async function load(url, parent, isWanted) {
  for (let n = 0; isWanted() && (!n || parent.isConnected); n++) {
    try {
      modules.set(url, await import(url));
      return modules.get(url);
    } catch (error) {
      say(parent, "This part of the page could not be loaded yet. It is requested again; if it does not come, reload the page.", error);
      await new Promise((done) => setTimeout(done, RETRY_MS[Math.min(n, RETRY_MS.length - 1)]));
    }
  }
  return undefined;
}

// An error that is thrown on would take the place of the part, and of this sentence.
function say(parent, text, error) {
  console.error(error);
  const line = parent.querySelector('[data-part="status"]');
  if (line) line.textContent = text;
}
