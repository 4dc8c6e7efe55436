// A table of runs. Called again with new data at each poll: only rows that changed are drawn anew.

// Days as the lists of choices write them: 25 Nov 16:06.
const moment = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const exact = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "medium" });
const LONG = 24; // letters: a longer text gives way to the other columns, and is cut where two lines do not hold it

const element = (tag, attributes = {}, ...children) => {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) if (value) made.setAttribute(name, value);
  made.append(...children);
  return made;
};

function cell(column, about) {
  const date = about.time ? new Date(about.time) : null;
  const text = date ? moment.format(date).replace(",", "") : about.text || "";
  const classes = [column.right && "right", about.tone && `tone-${about.tone}`, about.code && "code"].filter(Boolean).join(" ");
  const isLong = text.length > LONG && !about.code;
  const link = { href: `jobs?run=${encodeURIComponent(about.run)}`, "data-run": about.run };
  const inside = element(about.run ? "a" : "span", { class: isLong && "long", ...(about.run && link) }, text);
  return element("td", { class: classes, title: date ? exact.format(date) : about.title || (isLong && text) }, inside);
}

function head(data) {
  const cells = data.columns.map((column) =>
    element("th", { scope: "col", class: column.right && "right", title: column.help || (column.title.length > LONG && column.title) },
      column.title));
  return element("thead", {}, element("tr", {}, ...cells));
}

// Columns that a narrow table has no room for.
function narrow(columns) {
  const rules = columns.map(({ from_px }, i) => from_px
    && `@container (width < ${from_px}px) { tr > :nth-child(${i + 1}) { display: none; } }`);
  return element("style", {}, rules.filter(Boolean).join("\n"));
}

// The focus follows its run, which newer ones push down: Enter opens no other one. Where it is gone, its place has it.
function keepFocus(body, run, place) {
  const links = [...body.querySelectorAll("a[data-run]")];
  const link = links.find((one) => one.dataset.run === run) ?? body.children[place]?.querySelector("a[data-run]");
  link?.focus({ preventScroll: true });
}

function draw(state, data) {
  const shape = JSON.stringify([data.label, data.columns]);
  if (state.shape !== shape) {
    state.shape = shape;
    state.rows = [];
    state.body = element("tbody");
    state.host.replaceChildren(narrow(data.columns), element("table", { "aria-label": data.label }, head(data), state.body));
  }
  const focused = state.host.getRootNode().activeElement?.closest("a[data-run]");
  const place = focused ? [...state.body.children].indexOf(focused.closest("tr")) : -1;
  data.rows.forEach((row, at) => {
    const drawn = JSON.stringify(row);
    if (state.rows[at] === drawn) return;
    state.rows[at] = drawn;
    const opens = row.some((about) => about.run);
    const made = element("tr", { class: opens && "opens" }, ...row.map((about, i) => cell(data.columns[i], about)));
    const old = state.body.children[at];
    if (old) old.replaceWith(made);
    else state.body.append(made);
  });
  while (state.body.children.length > data.rows.length) state.body.lastChild.remove();
  state.rows.length = data.rows.length;
  if (focused) keepFocus(state.body, focused.dataset.run, place);
}

function begin(parentElement) {
  const state = { host: parentElement.querySelector(".slim-table"), rows: [], shape: null };
  state.host.addEventListener("click", (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey || event.altKey || event.button) return; // the browser's own
    const link = event.target.closest("a[data-run]");
    const row = event.target.closest("tr.opens");
    const chosen = link || (row && !String(getSelection()) && row.querySelector("a[data-run]"));
    if (!chosen) return;
    event.preventDefault();
    state.open(chosen.dataset.run);
  });
  return state;
}

export default function ({ data, parentElement, setTriggerValue }) {
  const state = (parentElement.__slimTable ??= begin(parentElement));
  state.open = (run) => setTriggerValue("opened", run);
  draw(state, data);
}
