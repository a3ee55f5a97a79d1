// Requests from outside of the browser.

/** `fetch`, with the body read at once: an unread one would hold its connection, and this process, open. */
export async function ask(url, options) {
  const response = await fetch(url, options);
  const text = await response.text();
  return { status: response.status, headers: response.headers, text, json: () => JSON.parse(text) };
}
