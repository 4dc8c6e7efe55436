// Draws the figures, and sorts a table by the heading that is clicked. Nothing is fetched.
const style = { font: { family: "system-ui, sans-serif", color: "#1f2933" }, paper_bgcolor: "#fff", plot_bgcolor: "#fff",
  xaxis: { gridcolor: "#e6e9ec", zeroline: false, automargin: true },
  yaxis: { gridcolor: "#e6e9ec", zeroline: false, automargin: true } };
// A figure that names what dragging does is one to move about in: it has a toolbar.
const options = { displaylogo: false, showSendToCloud: false, responsive: true, modeBarButtonsToRemove: ["select2d", "lasso2d"] };
JSON.parse(document.getElementById("figures").textContent).forEach((figure, number) => {
  delete figure.layout.template;
  const layout = { ...style, ...figure.layout };
  for (const axis of ["xaxis", "yaxis"]) layout[axis] = { ...style[axis], ...figure.layout[axis] };
  Plotly.newPlot(`chart-${number}`, figure.data, layout, { ...options, displayModeBar: Boolean(figure.layout.dragmode) });
});

const value = (row, column) => {
  const text = row.cells[column].textContent;
  const number = parseFloat(text.replaceAll(",", ""));
  return Number.isNaN(number) ? text : number;
};
const compare = (a, b) => (typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b)));
for (const table of document.querySelectorAll("table")) {
  const headings = [...table.querySelectorAll("th")];
  headings.forEach((heading, column) => heading.firstChild.addEventListener("click", () => {
    const falls = heading.ariaSort !== "descending";
    for (const other of headings) other.ariaSort = null;
    heading.ariaSort = falls ? "descending" : "ascending";
    const rows = [...table.tBodies[0].rows];
    rows.sort((a, b) => (falls ? -1 : 1) * compare(value(a, column), value(b, column)));
    table.tBodies[0].append(...rows);
  }));
}
