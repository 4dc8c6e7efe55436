// The answers in the order in which they are offered: what is sent, its word, which also names its action, and its key.
// They are those of slim_core/store/campaigns/consensus.py; a test compares them.

export const RIGHT = 1, WRONG = 0, EMPTY = 2, UNSURE = -1, PARTLY = 3;
export const ANSWERS = [
  { value: RIGHT, word: "right", key: "1" },
  { value: WRONG, word: "wrong", key: "0" },
  { value: PARTLY, word: "partly", key: "p" },
  { value: EMPTY, word: "empty", key: "e" },
  { value: UNSURE, word: "unsure", key: "u" },
];

export const wordOf = (value) => ANSWERS.find((answer) => answer.value === value)?.word ?? "open";
