// The part Streamlit carries inside the page: it fetches the real module once, by its address, and hands each call on.

const modules = new Map();

export default async function (component) {
  const url = new URL(component.data.module, document.baseURI).href;
  if (!modules.has(url)) modules.set(url, import(url));
  try {
    return (await modules.get(url)).mount(component);
  } catch (error) {
    modules.delete(url);
    console.error(error); // thrown on, it would take the place of the part, and of this sentence
    const line = component.parentElement.querySelector('[data-part="status"]');
    if (line) line.textContent = "This part of the page could not be loaded: reload the page.";
    return undefined;
  }
}
