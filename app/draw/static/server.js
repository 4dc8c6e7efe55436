// The requests of the page.

const TIMEOUT_MS = 15000;
const RENEWAL_MS = 5000; // how long another token is awaited

// What may be over when it is asked again.
const passing = (message) => Object.assign(new Error(message), { passes: true });

export class Server {
  // `expired()`: the token is over its time.
  constructor(expired) {
    this.expired = expired;
  }

  update({ urls, token, dataset, split }) {
    const isRenewed = token !== this.token;
    Object.assign(this, { urls, token, dataset, split });
    if (isRenewed) this.renewed?.();
  }

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

  // Where the token is over its time, once more under the next one, without a word.
  async post(url, body) {
    const { token } = this;
    const text = JSON.stringify({ ...body, dataset: this.dataset });
    let { response, reply } = await this.send(url, text);
    if (response.status === 401 && await this.isRenewed(token)) ({ response, reply } = await this.send(url, text));
    if (!reply) throw passing("The server sent an unexpected reply.");
    if (!response.ok || reply.error) throw new Error(reply.error);
    return reply;
  }

  async send(url, text) {
    let response;
    try {
      response = await fetch(url, { ...this.request(text), signal: AbortSignal.timeout(TIMEOUT_MS) });
    } catch {
      throw passing("No connection.");
    }
    return { response, reply: await response.json().catch(() => undefined) };
  }

  // Whether there is another token than this one, after a while at most: the page is run again for it.
  async isRenewed(token) {
    if (this.token === token) {
      this.expired();
      await new Promise((resolve) => {
        this.renewed = resolve;
        setTimeout(resolve, RENEWAL_MS);
      });
    }
    return this.token !== token;
  }
}
