// The application that the suites talk to: one that runs already, or one started for them.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { ask } from "./ask.js";
import { until } from "./until.js";

const nothing = async () => {};

/** The URLs of the sites, and how to stop what was started for them. */
export async function started(manifests) {
  const { DUNLIN_TODO_URLS: running, DUNLIN: dunlin, DUNLIN_GUESTS: guests } = process.env;
  if (running) return { urls: running.split(",").map((url) => url.replace(/\/$/, "")), stop: nothing };
  if (!dunlin || !guests) {
    throw new Error("set DUNLIN_TODO_URLS to where the application runs, or DUNLIN and DUNLIN_GUESTS to start it");
  }
  const args = ["dev", manifests, "--port", "0", "--wasm", `todo=${join(guests, "todo.wasm")}`];
  const process_ = spawn(dunlin, args, { stdio: ["ignore", "pipe", "pipe"] });
  let said = "";
  for (const output of [process_.stdout, process_.stderr]) {
    output.setEncoding("utf8").on("data", (text) => (said = (said + text).slice(-100_000)));
  }
  const exited = once(process_, "exit");
  // What still runs when this process is stopped is stopped with it.
  const kill = () => process_.kill("SIGTERM");
  process.once("exit", kill);
  for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => process.exit(1));
  const stop = async () => {
    kill();
    const [code] = await exited;
    if (code !== 0) throw new Error(`dunlin dev ended with ${code}:\n${said}`);
  };
  try {
    const urls = await until(
      "both sites to answer",
      async () => {
        if (process_.exitCode !== null) throw new Error("it has ended");
        const found = [...new Set(said.match(/http:\/\/127\.0\.0\.1:\d+/g) ?? [])].slice(0, 2);
        const answers = await Promise.all(found.map((url) => ask(`${url}/api`)));
        return found.length === 2 && answers.every(({ status }) => status === 200) ? found : undefined;
      },
      60_000,
    );
    return { urls, stop };
  } catch (error) {
    kill();
    throw new Error(`${error.message}; dunlin dev said:\n${said}`, { cause: error });
  }
}
