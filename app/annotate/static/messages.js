// What the annotator says: how far it is, whether answers have arrived, and what the rest is waiting for.

import { ANSWERS, wordOf } from "./answer_values.js";

export const number = (n) => Number(n).toLocaleString("en");
const count = (n, noun) => `${number(n)} ${noun}${n === 1 ? "" : "s"}`;
const IDLE_MS = 60000; // longer pauses are not work
const LONG = 40; // letters of a reason, beyond which the line may not hold all of it

export function left(n) {
  return `${number(n)} left`;
}

// For a screen reader.
export function image(item, n, blind) {
  const seen = blind ? "" : `, label ${item.label}, prediction ${item.prediction ?? "unknown"}`;
  return `Image ${item.row}${seen}. ${left(n)}`;
}

export function page(nImages, n) {
  return `A page of ${count(nImages, "image")}. ${left(n)}`;
}

export function flipped(item, value) {
  return `Image ${item.row}: ${wordOf(value)}`;
}

export const NOTHING_TO_CONFIRM = "No image of this page has an answer yet";
export const LOST = "Another annotator has that image now: here is the next one";
export const SAVED = "All answers saved";
export const RENAME_LATER = "Your answers are still being sent: change the name once they are saved";

// How much of the split is answered; `left`: images that this annotator has not answered. Where several people answer
// each image, how many are done: the number that all of them see, here and on the other pages.
export function share({ total, done }, left, { overlap, split, nSplit }) {
  if (overlap > 1) return `${number(done)} of ${number(total)} images have ${overlap === 2 ? "both" : `all ${overlap}`} answers`;
  const answered = total - left;
  const part = nSplit ? `, ${(100 * (answered / nSplit)).toFixed(1)} %` : "";
  return `${number(answered)} of ${number(nSplit)} ${split} images answered${part}`;
}

// Answers per minute of work, once there are enough of them; `steps`: {entries, ms an image}.
export function pace(steps) {
  const n = steps.reduce((sum, { entries }) => sum + entries.length, 0);
  const ms = steps.reduce((sum, { entries, ms: each }) => sum + entries.length * Math.min(each, IDLE_MS), 0);
  return n >= 3 && ms > 0 ? `${number(Math.round(60000 * n / ms))} per minute` : "";
}

export function tally(steps) {
  const values = steps.flatMap((step) => step.entries.map((entry) => entry.value));
  return ANSWERS.map(({ value, word }) => `${number(values.filter((one) => one === value).length)} ${word}`).join(", ");
}

// [text, why]; `why`: what is wrong, "" where nothing is; `marked`: images with a mark in the grid that is not confirmed.
export function status({ waiting: { length: n }, unknown, volatile }, { problem, gone }, marked = 0) {
  const where = volatile ? "only in this page: keep it open" : "in this browser and will be sent again";
  const stored = gone ? "cannot be saved" : `${n === 1 ? "is" : "are"} stored ${where}`;
  const waiting = n ? `${count(n, "answer")} ${stored}` : "";
  if (problem) {
    const why = problem.replace(/\.$/, "");
    const parts = why.length > LONG && !gone ? [waiting, why] : [why, waiting]; // the line cuts what comes last
    return [parts.filter(Boolean).join(". "), problem];
  }
  const except = `Saved, except ${count(unknown, "answer")} about images that are not in this campaign`;
  if (unknown && !n) return [except, except];
  if (n) return ["Saving ...", ""];
  return [marked ? `${number(marked)} marked, not confirmed` : SAVED, ""];
}

const clock = (seconds) => `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`;

// Somebody who has images now.
function holder({ you, who, n, seconds }, since) {
  const rest = Math.max(0, seconds - since);
  return `${you ? "Another tab of yours" : who} has ${count(n, "image")} open, for at most ${clock(rest)}`;
}

// [title, sentence, finished] where this annotator has no image now; `since`: seconds since the server said so,
// `finished`: the page has something else to say by now.
export function rest({ progress, open }, { closed, problem, refused, barred, gone }, { unsent, overlap, since }) {
  if (closed) {
    const late = `${count(unsent, "answer")} arrived too late: ${unsent === 1 ? "it stays" : "they stay"} in this browser`;
    return ["This campaign is not accepting answers", unsent ? `${closed} ${late} and will be sent if it reopens.` : closed, false];
  }
  if (gone) return ["This campaign no longer exists", problem, false];
  if (barred) return ["You cannot answer in this campaign", problem, false];
  if (refused) return ["The server reports an error", problem, false];
  if (problem) return ["No connection to the server", "The next images load when it is back.", false];
  if (!progress) return ["Loading the next image ...", "", false];
  if (progress.done === progress.total) return ["All images of this campaign are answered", "", true];
  if (open <= 0) {
    const n = progress.total - progress.done;
    const others = `${count(n, "image")} still ${n === 1 ? "needs" : "need"} another annotator.`;
    return ["You have answered all your images", `Each image needs ${count(overlap, "annotator")}: ${others}`, true];
  }
  if (!progress.held.length) return ["Loading the next image ...", "", false];
  const held = progress.held.map((one) => holder(one, since)).join(". ");
  const where = progress.held.every(({ you }) => you) ? "open in another tab" : "with other annotators";
  return [`The last images are ${where}`, `${held}. Images they release appear here.`, false];
}
