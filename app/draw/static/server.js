// The requests of the page.

const TIMEOUT_MS = 15000;
const STILL_HERE = "What you drew is still here: press Enter to try again.";

export class Server {
  // `expired()`: the token is over its time.
  constructor(expired) {
    this.expired = expired;
  }

  update({ urls, token, dataset, split }) { Object.assign(this, { urls, token, dataset, split }); }

  image(row) { return this.post(this.urls.image, { row }); }

  // The picture at an address, decoded.
  async picture(src) {
    const image = Object.assign(new Image(), { src });
    await image.decode().catch(() => { throw new Error("The image could not be loaded: continue with the next, or reload the page."); });
    return image;
  }

  keep(drawing) { return this.post(this.urls.shapes, { ...drawing, split: this.split }); }

  // The page closes: nobody waits for the reply.
  keepLast(drawing) {
    const body = JSON.stringify({ ...drawing, split: this.split, dataset: this.dataset });
    fetch(this.urls.shapes, { ...this.request(body), keepalive: true }).catch(() => {});
  }

  request(body) {
    return { method: "POST", body, headers: { "X-Slim-Token": this.token, "Content-Type": "application/json" } };
  }

  async post(url, body) {
    const request = this.request(JSON.stringify({ ...body, dataset: this.dataset }));
    let response;
    try {
      response = await fetch(url, { ...request, signal: AbortSignal.timeout(TIMEOUT_MS) });
    } catch {
      throw new Error(`No connection. ${STILL_HERE}`);
    }
    const reply = await response.json().catch(() => ({ error: `The server sent an unexpected reply. ${STILL_HERE}` }));
    if (response.status === 401) this.expired();
    if (!response.ok || reply.error) throw new Error(reply.error);
    return reply;
  }
}
