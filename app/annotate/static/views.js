// How an image and its attention are shown, which this browser remembers. They lie on each other: the overlay is a heat map
// that is the clearer the weaker the attention is, at an opacity of its own, so changing that loads nothing.

import { put } from "./storage.js";

export const VIEWS = ["overlay", "image", "heat map", "contour"];

export const MOST_OPAQUE = 0.8; // of an overlay: the picture is never hidden

export const viewOf = (preferences) => VIEWS[preferences.view];

// Of the pictures that can lie over the image, the one for this view.
export const overName = (preferences) => (viewOf(preferences) === "heat map" ? "heat" : "veil");

export const showsAttention = (preferences) => viewOf(preferences) !== "image";

// Whether colours are shown that a scale explains.
export const hasScale = (preferences) => ["overlay", "heat map"].includes(viewOf(preferences));

// Opacity of what lies over the image.
export function heatOpacity(preferences) {
  const view = viewOf(preferences);
  if (view === "overlay") return Math.min(MOST_OPAQUE, preferences.opacity);
  return view === "heat map" ? 1 : 0;
}

// Lay a map where the model saw the image, on the whole of it: a centre square, which is `seen` of the shorter side (METHOD),
// or all of it where that is null. Returns the square as a share of the longer side; 1 while the image is on its way.
export function lay(map, { naturalWidth: width, naturalHeight: height }, seen) {
  const share = seen !== null && width && height ? (seen * Math.min(width, height)) / Math.max(width, height) : 1;
  Object.assign(map.style, { width: `${100 * share}%`, height: `${100 * share}%`, inset: `${50 * (1 - share)}%` });
  return share;
}

// How the annotator wants to see the images; this browser remembers it.
const STORED = "slim-annotator-look";
const DEFAULTS = { view: 0, opacity: 0.5, beside: false, grid: false, size: 20, guess: false };

export function loadPreferences() {
  try {
    return { ...DEFAULTS, ...JSON.parse(localStorage.getItem(STORED)), view: DEFAULTS.view };
  } catch {
    return { ...DEFAULTS };
  }
}

export const savePreferences = (preferences) => put(STORED, JSON.stringify(preferences));
