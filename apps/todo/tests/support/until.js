// Waiting for a condition, never for a time.

/** Asks until the answer is not undefined; an error counts as no answer until the time is up. */
export async function until(what, ask, within = 10_000) {
  const end = performance.now() + within;
  let last;
  for (;;) {
    try {
      const answer = await ask();
      if (answer !== undefined) return answer;
      last = undefined;
    } catch (error) {
      last = error;
    }
    if (performance.now() > end) {
      throw new Error(`waited ${within} ms for ${what}${last ? `: ${last.message}` : ""}`, { cause: last });
    }
    await new Promise((wake) => setTimeout(wake, 100));
  }
}
