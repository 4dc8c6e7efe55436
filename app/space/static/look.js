// What points look like, however they are drawn.

export const GREY = [154, 160, 166]; // of what is not selected
export const DIM = 0.22; // its opacity
export const OPACITY = 0.88; // that of all others

// Calls `act` each time a pixel of the page becomes another number of the screen's, as on another monitor.
export function onAnotherRatio(act, signal) {
  const same = matchMedia(`(resolution: ${window.devicePixelRatio}dppx)`);
  same.addEventListener("change", () => { act(); onAnotherRatio(act, signal); }, { once: true, signal });
}

// Gives a canvas as many pixels as its parent has, times ``ratio``.
export function sized(canvas, ratio) {
  const box = canvas.parentElement.getBoundingClientRect();
  const [width, height] = [Math.max(1, Math.round(box.width * ratio)), Math.max(1, Math.round(box.height * ratio))];
  if (canvas.width !== width || canvas.height !== height) [canvas.width, canvas.height] = [width, height];
  return [width, height];
}
