// How an image and its heat map are shown. They lie on each other: the overlay is the heat map's opacity, so changing it
// loads nothing.

export const VIEWS = ["overlay", "image", "heat map", "contour"];

export const viewOf = (preferences) => VIEWS[preferences.view];

// Opacity of the heat map over the image.
export function heatOpacity(preferences) {
  const view = viewOf(preferences);
  if (view === "overlay") return preferences.opacity;
  return view === "heat map" ? 1 : 0;
}
