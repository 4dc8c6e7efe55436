// localStorage where it is on: nothing is kept, and nothing found, where the browser refuses it or has no room.

// Whether it is kept.
export function put(key, text) {
  try {
    localStorage.setItem(key, text);
    return true;
  } catch {
    return false;
  }
}

export function remove(key) {
  try {
    localStorage.removeItem(key);
  } catch { /* nothing is kept there */ }
}

// [key, text] of each key that begins so, in their order; what follows holds no colon, which a longer name may.
export function entriesOf(prefix) {
  try {
    const isOf = (key) => key.startsWith(prefix) && !key.includes(":", prefix.length);
    const keys = Object.keys(localStorage).filter(isOf).sort();
    return keys.map((key) => [key, localStorage.getItem(key)]);
  } catch {
    return [];
  }
}
