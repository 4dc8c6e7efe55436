// Pictures fetched and decoded before they are needed, a few at a time, so that an answer never waits behind them.

const AT_ONCE = 3; // of the six connections a browser keeps to a server
const RETRY_MS = 1000;
const PATIENCE_MS = 30000; // a request that takes longer keeps no other one back; the next one has twice the time
const LATE = "The image could not be loaded yet. It is requested again every second.";

export class Pictures {
  // `expired()`: the server no longer accepts the token of an address.
  constructor(expired) {
    this.expired = expired;
    this.kept = new Map(); // address -> {address, image, state: waiting | loading | later | ready | failed,
    // sentence: why it is not there, patience: of its next request, changed()}
    this.loading = 0;
    this.order = [];
  }

  get(address, alt) {
    if (!this.kept.has(address)) {
      const image = Object.assign(new Image(), { decoding: "sync", draggable: false, alt });
      this.kept.set(address, { address, image, state: "waiting", sentence: "", patience: PATIENCE_MS, changed: null });
    }
    return this.kept.get(address);
  }

  // Fetch these, nearest first, and forget all others.
  want(addresses) {
    const wanted = new Set(addresses.map(([address]) => address));
    for (const [address, picture] of this.kept) {
      if (!wanted.has(address) && picture.state !== "loading" && !picture.image.isConnected) this.kept.delete(address);
    }
    this.order = addresses.map(([address, alt]) => this.get(address, alt));
    this.next();
  }

  next() {
    for (const picture of this.order) {
      if (this.loading >= AT_ONCE) return;
      if (picture.state === "waiting") this.load(picture);
    }
  }

  async load(picture) {
    this.loading += 1;
    picture.state = "loading";
    picture.image.src = picture.address;
    let timer;
    const noReply = new Promise((resolve) => { timer = setTimeout(resolve, picture.patience, true); });
    try {
      if (await Promise.race([picture.image.decode(), noReply])) this.giveUp(picture);
      else Object.assign(picture, { state: "ready", sentence: "" });
    } catch {
      await this.explain(picture);
    }
    clearTimeout(timer);
    this.loading -= 1;
    picture.changed?.(picture);
    this.next();
  }

  // Why it did not come: the server says so, or it cannot be reached or cannot answer now, and is asked again.
  async explain(picture) {
    try {
      const response = await fetch(picture.address, { signal: AbortSignal.timeout(picture.patience) });
      if (response.status === 401) this.expired();
      if (response.ok || response.status === 401 || response.status === 503) return this.later(picture);
      picture.sentence = (await response.json()).error;
      picture.state = "failed";
    } catch {
      this.later(picture);
    }
  }

  giveUp(picture) {
    picture.image.removeAttribute("src"); // ends the request
    picture.patience *= 2; // the network may only be slow
    this.later(picture);
  }

  later(picture) {
    Object.assign(picture, { state: "later", sentence: LATE });
    setTimeout(() => {
      if (picture.state === "later") picture.state = "waiting";
      this.next();
    }, RETRY_MS);
  }
}

// Whether these are on screen where they stand: nobody has seen what is still on its way.
export const areShown = (pictures) => pictures.every(({ state }) => state === "ready");

// Why one of them is not there; nothing of what is only on its way.
export const whyMissing = (pictures) => pictures.find(({ sentence }) => sentence)?.sentence ?? "";
