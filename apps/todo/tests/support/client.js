// The API as a page of another origin calls it: the browser enforces CORS, preflights included.

/** A client that calls from within `page`. Each call gives `{ status, headers, body }`. */
export function client(page) {
  const call = (method, url, body) =>
    page.evaluate(
      async ({ method, url, body }) => {
        const options = { method };
        if (body !== undefined) {
          options.headers = { "content-type": "application/json" };
          options.body = JSON.stringify(body);
        }
        const response = await fetch(url, options);
        const text = await response.text();
        return {
          status: response.status,
          headers: Object.fromEntries(response.headers),
          body: text === "" ? null : JSON.parse(text),
        };
      },
      { method, url, body },
    );
  return {
    get: (url) => call("GET", url),
    head: (url) => call("HEAD", url),
    post: (url, body) => call("POST", url, body),
    put: (url, body) => call("PUT", url, body),
    patch: (url, body) => call("PATCH", url, body),
    delete: (url) => call("DELETE", url),
  };
}
