// The parts of the page that stay as they are while it is open: guideline, examples, name, choices.

export function fill(app) {
  const { data } = app;
  app.text("guideline", data.guideline);
  app.text("name", data.who ?? "");
  app.find("rename").hidden = !data.rename || !data.who;
  app.find("seen").hidden = data.blind;
  app.find("guess-row").hidden = data.blind;
  app.find("question").hidden = data.blind;
  app.find("blind-question").hidden = !data.blind;
  for (const kind of ["right", "wrong"]) {
    const place = app.find(`examples-${kind}`);
    const addresses = data.examples[kind] ?? [];
    place.closest("figure").hidden = !addresses.length;
    if (place.dataset.shown === addresses.join()) continue;
    place.dataset.shown = addresses.join();
    place.replaceChildren(...addresses.map((address) => Object.assign(new Image(), { src: address, alt: `Example: ${kind}`, loading: "lazy" })));
  }
  app.find("size").value = String(app.look.size);
  app.find("guess").checked = app.look.guess;
}
