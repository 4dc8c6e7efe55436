// What the annotator says: how far it is, whether answers have arrived, and what the rest is waiting for.

export const number = (n) => Number(n).toLocaleString("en");
const images = (n) => `${number(n)} ${n === 1 ? "image" : "images"}`;
const IDLE_MS = 60000; // longer pauses are not work
const WORDS = { "1": "right", "0": "wrong", "-1": "unsure" };

export const wordOf = (value) => WORDS[value];

export function left(n) {
  return `${number(n)} left`;
}

// For a screen reader.
export function image(item, n, blind) {
  const seen = blind ? "" : `, label ${item.label}, prediction ${item.prediction ?? "not known"}`;
  return `Image ${item.row}${seen}. ${left(n)}`;
}

export function page(nImages, n) {
  return `A page of ${nImages} images, all taken for right. ${left(n)}`;
}

export function flipped(item, value) {
  return `Image ${item.row}: ${wordOf(value)}`;
}

export const LOST = "Somebody else looks at that image by now: here is the next one";
export const RENAME_LATER = "Your answers are sent first, then the name can be changed";

// How much of the split is answered; `n`: images that are left of `total`.
export function share(total, n, data) {
  const answered = total - n;
  const part = data.nSplit ? `, ${(100 * answered / data.nSplit).toFixed(1)} %` : "";
  return `${number(answered)} of ${number(data.nSplit)} ${data.split} images answered${part}`;
}

// Answers a minute of work, once there are enough to say; `steps`: {entries, ms an image}.
export function pace(steps) {
  const n = steps.reduce((sum, { entries }) => sum + entries.length, 0);
  const ms = steps.reduce((sum, { entries, ms: each }) => sum + entries.length * Math.min(each, IDLE_MS), 0);
  return n >= 3 && ms > 0 ? `${number(Math.round(60000 * n / ms))} a minute` : "";
}

export function tally(steps) {
  const values = steps.flatMap((step) => step.entries.map((entry) => entry.value));
  return [1, 0, -1].map((value) => `${number(values.filter((one) => one === value).length)} ${wordOf(value)}`).join(", ");
}

// [text, alarm]
export function status({ waiting: { length: n }, unknown, volatile }, problem) {
  const waiting = n ? `${number(n)} ${n === 1 ? "answer waits" : "answers wait"}` : "";
  const where = volatile ? "in this page: keep it open" : "in this browser and will be sent again";
  if (problem) return [[problem.replace(/\.$/, ""), waiting && `${waiting} ${where}`].filter(Boolean).join(". "), true];
  if (unknown && !n) return [`Saved, but for ${number(unknown)} about images that are not asked about any more`, true];
  return n ? ["Saving ...", false] : ["All answers saved", false];
}

const clock = (seconds) => `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`;

function holder({ you, who, n, seconds }, since) {
  const rest = Math.max(0, seconds - since);
  return `${you ? "You, in another tab, look" : `${who} looks`} at ${images(n)}, for ${clock(rest)} more at most`;
}

// [title, sentence, finished] where this annotator has no image now; `since`: seconds since the server said so.
export function rest({ progress, open }, { closed, problem, refused }, { unsent, overlap, since }) {
  if (closed) {
    const answers = `${number(unsent)} of your answers came too late: ${unsent === 1 ? "it stays" : "they stay"}`;
    const kept = unsent ? ` ${answers} in this browser, to be sent if it is reopened.` : "";
    return ["This campaign takes no answers now", closed + kept, false];
  }
  if (refused) return ["You cannot go on here", problem, false];
  if (problem) return ["Waiting for the connection", "The next images come by themselves when it is back.", false];
  if (!progress) return ["Looking for the next image ...", "", false];
  if (progress.done === progress.total) return ["All images of this campaign are answered", "", true];
  if (open <= 0) {
    const others = `This campaign asks ${number(overlap)} people about each image: ${images(progress.total - progress.done)} still`;
    return ["You have answered all of yours", `${others} need somebody else.`, false];
  }
  if (!progress.held.length) return ["Looking for the next image ...", "", false];
  const held = progress.held.map((one) => holder(one, since)).join(". ");
  return ["Others look at the last images", `${held}. Whatever they leave comes here by itself.`, false];
}
