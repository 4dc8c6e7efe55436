// The address of the page: one entry a page in the browser's history, whatever the page writes behind the question mark
// (a run that is open on Jobs is a page of its own), and the data set it names is the one that the next visit of this
// browser begins with.
(() => {
  const YEAR_S = 31536000;
  const push = history.pushState.bind(history);
  const replace = history.replaceState.bind(history);
  const page = (url) => {
    const { pathname, searchParams } = new URL(url ?? "", location.href);
    return pathname.endsWith("/jobs") ? `${pathname} ${searchParams.get("run")}` : pathname;
  };

  function remember() {
    const dataset = new URLSearchParams(location.search).get("dataset");
    if (dataset) document.cookie = `slim-dataset=${encodeURIComponent(dataset)}; path=/; max-age=${YEAR_S}; SameSite=Lax`;
  }

  history.pushState = (state, title, url) => {
    (page(url) === page() ? replace : push)(state, title, url);
    remember();
  };
  history.replaceState = (state, title, url) => {
    replace(state, title, url);
    remember();
  };
  remember();

  // A link to a run in a table opens it as Back and Forward do: Streamlit's links in Markdown open another tab.
  document.addEventListener("click", (event) => {
    const link = event.target.closest?.('[class*="st-key-table-"] a[href*="jobs?run="]');
    if (!link || event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    history.pushState({}, "", link.href);
    dispatchEvent(new PopStateEvent("popstate"));
  });
})();
