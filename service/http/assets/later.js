// Work that repeats while a view is open.

import { answersAgain, tell } from "/assets/api.js";

// Runs again and again until the view is left; never twice at once, and not while nobody looks.
export function every(milliseconds, frame, work) {
  const turn = async () => {
    if (frame.signal.aborted) return;
    if (!document.hidden) {
      try {
        await work();
        answersAgain();
      } catch (error) {
        if (error.status === 401) await frame.attempt(() => Promise.reject(error));
        else if (!frame.signal.aborted) tell(error);
      }
    }
    if (!frame.signal.aborted) setTimeout(turn, milliseconds);
  };
  setTimeout(turn, milliseconds);
}
