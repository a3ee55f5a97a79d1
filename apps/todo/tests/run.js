// Runs every suite against the todo application.
//
// DUNLIN_TODO_URLS=http://127.0.0.1:8082,http://127.0.0.1:8083   where it runs already: one URL for each site; or
// DUNLIN=<the dunlin command> and DUNLIN_GUESTS=<folder with todo.wasm>   to start it here, on free ports.
// DUNLIN_SCREENSHOTS=<folder>   keeps pictures of the page there.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { started } from "./support/started.js";

const here = fileURLToPath(new URL(".", import.meta.url));
const suites = readdirSync(join(here, "suites")).filter((name) => name.endsWith(".test.js"));

async function test(urls) {
  const args = ["--test", "--test-reporter=spec", "--test-concurrency=1", ...suites.map((name) => join(here, "suites", name))];
  const env = { ...process.env, DUNLIN_TODO_URLS: urls.join(",") };
  const [code] = await once(spawn(process.execPath, args, { stdio: "inherit", env }), "exit");
  return code ?? 1;
}

const { urls, stop } = await started(join(here, "../manifests"));
try {
  process.exitCode = await test(urls);
} finally {
  await stop();
}
