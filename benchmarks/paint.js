// Read in the page itself, frame by frame, so that no polling from outside blurs it: when what is awaited is painted.
// `content`: CSS selectors of what counts first; `all`: of what must be there, too, once the page is complete; open shadow roots are searched too. Times are seconds since the navigation.
(content, all) => {
  const roots = [document];
  const attach = Element.prototype.attachShadow;
  Element.prototype.attachShadow = function (how) {
    const root = attach.call(this, how);
    if (how.mode === "open") roots.push(root);
    return root;
  };

  const visible = (element) => {
    const { width, height } = element.getBoundingClientRect();
    const loaded = !(element instanceof HTMLImageElement) || (element.complete && element.naturalWidth > 0);
    return width > 0 && height > 0 && loaded && element.checkVisibility({ opacityProperty: true, visibilityProperty: true });
  };
  const shown = (selector) => roots.flatMap((root) => [...root.querySelectorAll(selector)]).filter(visible);

  const pending = (image) => { // in view, and not loaded
    const { top, bottom } = image.getBoundingClientRect();
    return image.checkVisibility() && bottom > 0 && top < innerHeight && !image.complete;
  };
  const complete = () =>
    document.querySelector("[data-testid=stApp]")?.dataset.testScriptState === "notRunning" &&
    !document.querySelector("[data-testid=stSkeleton]") &&
    [...document.querySelectorAll("[data-testid=stPlotlyChart]")].every((chart) => chart.querySelector(".main-svg")) &&
    !roots.some((root) => [...root.querySelectorAll("img[src]")].some(pending)) &&
    shown(content).length > 0 && shown(all).length > 0;

  const times = window.slimPaint = { content: null, complete: null };
  const look = () => { // within the frame that paints it; the layout is done by the measuring
    if (times.content === null && shown(content).length) times.content = performance.now() / 1000;
    if (!complete()) times.complete = null; // the script runs again: what was there was not everything
    else times.complete ??= performance.now() / 1000;
    requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
}
