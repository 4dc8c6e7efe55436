// Read in the page itself, frame by frame, so that no polling from outside blurs it: when what is awaited is painted.
// `content`: CSS selectors of what counts; open shadow roots are searched too. Times are seconds since the navigation.
(content) => {
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

  const times = window.slimPaint = { content: null, charts: null, n_charts: 0 };
  const look = () => { // within the frame that paints it; the layout is done by the measuring
    if (times.content === null && shown(content).length) times.content = performance.now() / 1000;
    const n = document.querySelectorAll("[data-testid=stPlotlyChart] .main-svg:first-child").length;
    if (n !== times.n_charts) [times.n_charts, times.charts] = [n, performance.now() / 1000];
    requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
}
