// How the annotator wants to see the images; this browser remembers it.

const STORED = "slim-annotator-look";
const DEFAULTS = { view: 0, opacity: 0.5, beside: false, grid: false, size: 20, guess: false };

export function load() {
  try {
    return { ...DEFAULTS, ...JSON.parse(localStorage.getItem(STORED)), view: DEFAULTS.view };
  } catch {
    return { ...DEFAULTS };
  }
}

export function save(preferences) {
  try {
    localStorage.setItem(STORED, JSON.stringify(preferences));
  } catch { /* it is only convenient */ }
}
