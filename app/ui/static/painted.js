// Tells the server once that what it has sent so far is on the screen.

const MOST_FRAMES = 120; // an image that never comes keeps nothing back for longer
const frame = () => new Promise((done) => requestAnimationFrame(done));
const afterPaint = async () => { // the task after a frame comes when that frame is painted
  await frame();
  await new Promise((done) => setTimeout(done));
};

const inSight = (element) => {
  const { top, bottom } = element.getBoundingClientRect();
  return bottom > 0 && top < innerHeight;
};
const coming = () =>
  document.querySelector("[data-testid=stSkeleton]") || // a part whose code Streamlit is still loading
  [...document.images].some((image) => !image.complete && inSight(image));

async function report({ page, url, token }) {
  for (let n = 0; n < MOST_FRAMES && coming(); n++) await frame();
  await afterPaint();
  const headers = { "Content-Type": "application/json", "X-Slim-Token": token };
  fetch(url, { method: "POST", headers, body: JSON.stringify({ page }) }).catch(() => {}); // the server waits no longer than it must
}

export default function ({ data, parentElement }) {
  if (parentElement.__slimPainted === data.page) return;
  parentElement.__slimPainted = data.page;
  report(data);
}
