// How the person likes to look at images; this browser remembers it.

const LOOK = { view: 0, opacity: 0.5, beside: false, grid: false, size: 20, guess: false };

export function remembered() {
  try {
    return { ...LOOK, ...JSON.parse(localStorage.getItem("slim-annotator-look")), view: LOOK.view };
  } catch {
    return { ...LOOK };
  }
}

export function remember(look) {
  try {
    localStorage.setItem("slim-annotator-look", JSON.stringify(look));
  } catch { /* it is only convenient */ }
}
