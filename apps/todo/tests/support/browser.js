// A browser, and a page of another origin in it.

import { existsSync } from "node:fs";
import { createServer } from "node:http";
import { delimiter, join } from "node:path";
import { chromium } from "playwright-core";

const NAMES = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

/** The browser of the machine: nothing is downloaded. */
function executable() {
  const folders = (process.env.PATH ?? "").split(delimiter);
  const known = NAMES.flatMap((name) => folders.map((folder) => join(folder, name)));
  const found = process.env.CHROMIUM ?? known.find((path) => existsSync(path));
  if (!found) throw new Error("no browser: install chromium, or set CHROMIUM to one");
  return found;
}

export function launch() {
  return chromium.launch({ executablePath: executable(), args: ["--disable-dev-shm-usage"] });
}

/** A server on a port of its own with an empty page: to the API, somebody else's site. */
export async function elsewhere() {
  const server = createServer((_, response) => {
    response.setHeader("content-type", "text/html");
    response.end("<!doctype html><title>elsewhere</title><link rel=icon href=data:,>");
  });
  await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
  return { url: `http://127.0.0.1:${server.address().port}`, close: () => server.close() };
}

/** The URLs of the sites, as `run.js` gives them. */
export function sites() {
  const urls = process.env.DUNLIN_TODO_URLS;
  if (!urls) throw new Error("run these suites with `npm test`, or set DUNLIN_TODO_URLS");
  return urls.split(",").map((url) => url.replace(/\/$/, ""));
}
