// What the annotator says: how far it is, whether answers have arrived, and what the rest is waiting for.

export const number = (n) => Number(n).toLocaleString("en");
const images = (n) => `${number(n)} ${n === 1 ? "image" : "images"}`;
const IDLE_MS = 60000; // longer pauses are not work

export function left(n) {
  return `${number(n)} left`;
}

// How much of the split is answered; `n`: images that are left of `total`.
export function share(total, n, data) {
  const answered = total - n;
  const part = data.nSplit ? `, ${(100 * answered / data.nSplit).toFixed(1)} %` : "";
  return `${number(answered)} of ${number(data.nSplit)} ${data.split} images answered${part}`;
}

// Answers a minute of work, once there are enough to tell; `made`: [answers, milliseconds] of each step.
export function pace(made) {
  const n = made.reduce((sum, [count]) => sum + count, 0);
  const ms = made.reduce((sum, [count, each]) => sum + count * Math.min(each, IDLE_MS), 0);
  return n >= 3 && ms > 0 ? `${number(Math.round(60000 * n / ms))} a minute` : "";
}

export function tally(history) {
  const entries = history.filter((step) => !step.skip).flatMap((step) => step.entries);
  return [["right", 1], ["wrong", 0], ["unsure", -1]]
    .map(([word, value]) => `${number(entries.filter((entry) => entry.value === value).length)} ${word}`).join(", ");
}

// [text, alarm]
export function connection(n, { problem, strange }, volatile) {
  const waiting = n ? `${number(n)} ${n === 1 ? "answer waits" : "answers wait"}` : "";
  const where = volatile ? "in this page: keep it open" : "in this browser and will be sent again";
  if (problem) return [[problem.replace(/\.$/, ""), waiting && `${waiting} ${where}`].filter(Boolean).join(". "), true];
  if (strange && !n) return [`Saved, but for ${number(strange)} about images that are not asked about any more`, true];
  return n ? ["Saving ...", false] : ["All answers saved", false];
}

const clock = (seconds) => `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`;

function holder({ you, who, n, seconds }, since) {
  const rest = Math.max(0, seconds - since);
  return `${you ? "You, in another tab, look" : `${who} looks`} at ${images(n)}, for ${clock(rest)} more at most`;
}

// [title, sentence, finished] where this annotator has no image now; `since`: seconds since the server said so.
export function rest({ standing, open, closed, problem, refused, unsent, overlap }, since) {
  if (closed) {
    const answers = `${number(unsent)} of your answers came too late: ${unsent === 1 ? "it stays" : "they stay"}`;
    const kept = unsent ? ` ${answers} in this browser, to be sent if it is reopened.` : "";
    return ["This campaign takes no answers now", closed + kept, false];
  }
  if (refused) return ["You cannot go on here", problem, false];
  if (problem) return ["Waiting for the connection", "The next images come by themselves when it is back.", false];
  if (!standing) return ["Looking for the next image ...", "", false];
  if (standing.done === standing.total) return ["All images of this campaign are answered", "", true];
  if (open <= 0) {
    const others = `This campaign asks ${number(overlap)} people about each image: ${images(standing.total - standing.done)} still`;
    return ["You have answered all of yours", `${others} need somebody else.`, false];
  }
  if (!standing.held.length) return ["Looking for the next image ...", "", false];
  const held = standing.held.map((one) => holder(one, since)).join(". ");
  return ["Others look at the last images", `${held}. Whatever they leave comes here by itself.`, false];
}
