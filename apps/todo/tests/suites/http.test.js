// What HTTP asks beyond the specification: refusals with a reason, addresses behind a proxy, two sites with one list.

import assert from "node:assert/strict";
import { after, before, beforeEach, describe, test } from "node:test";
import { ask } from "../support/ask.js";
import { elsewhere, launch, sites } from "../support/browser.js";
import { client } from "../support/client.js";

const [here, there = here] = sites();
const root = `${here}/api`;
const json = { "content-type": "application/json" };

const post = (body, headers = {}, url = root) =>
  ask(url, { method: "POST", headers: { ...json, ...headers }, body });

/** Checks for the status and a reason in JSON. */
async function refused(response, status, reason) {
  assert.equal(response.status, status);
  assert.match(response.headers.get("content-type"), /^application\/json/);
  assert.match(response.json().error, reason);
}

beforeEach(async () => assert.equal((await ask(root, { method: "DELETE" })).status, 204));

describe("what is refused", () => {
  test("a body that is no todo: 400 with a reason", async () => {
    await refused(await post("{"), 400, /not JSON/);
    await refused(await post(""), 400, /not JSON/);
    await refused(await post("[]"), 400, /a todo is an object/);
    await refused(await post("{}"), 400, /needs a title/);
    await refused(await post('{"title":7}'), 400, /title must be a text, not a number/);
    await refused(await post('{"title":"a","completed":"no"}'), 400, /completed must be true or false/);
    await refused(await post(Buffer.from('{"title":"\xff"}', "latin1")), 400, /not UTF-8/);
    assert.deepEqual((await ask(root)).json(), []);
  });

  test("more than 64 KiB: 413", async () => {
    await refused(await post(JSON.stringify({ title: "x".repeat(70_000) })), 413, /65536 bytes/);
    assert.equal((await post(JSON.stringify({ title: "x".repeat(60_000) }))).status, 201);
  });

  test("what is not there: 404", async () => {
    for (const path of ["/api/999999", "/api/one", "/api/01", "/api/1/2", "/nothing"]) {
      await refused(await ask(here + path), 404, /no such todo|nothing at this path/);
    }
    for (const method of ["PUT", "PATCH"]) {
      await refused(await ask(`${root}/999999`, { method, headers: json, body: '{"title":"a"}' }), 404, /no such todo/);
    }
    await refused(await ask(`${root}/999999`, { method: "DELETE" }), 404, /no such todo/);
  });

  test("another method: 405, and which there are", async () => {
    const response = await ask(root, { method: "PATCH", headers: json, body: "{}" });
    assert.equal(response.headers.get("allow"), "GET, HEAD, POST, DELETE, OPTIONS");
    await refused(response, 405, /PATCH/);
  });
});

describe("what is answered", () => {
  test("PUT replaces, PATCH changes", async () => {
    const { url } = (await post('{"title":"a","order":3}')).json();
    const put = await ask(url, { method: "PUT", headers: json, body: '{"title":"b","completed":true}' });
    const { title, completed, order } = put.json();
    assert.deepEqual({ title, completed, order }, { title: "b", completed: true, order: null });
  });

  test("HEAD is GET without a body", async () => {
    for (const path of ["/", "/api"]) {
      const response = await ask(here + path, { method: "HEAD" });
      assert.equal(response.status, 200);
      assert.equal(response.text, "");
    }
  });

  test("the page is asked for again and sent once", async () => {
    for (const path of ["/", "/app.js", "/style.css", "/icon.svg"]) {
      const first = await ask(here + path);
      assert.equal(first.headers.get("cache-control"), "no-cache");
      assert.match(first.headers.get("content-security-policy"), /^default-src 'none'/);
      const again = await ask(here + path, { headers: { "if-none-match": first.headers.get("etag") } });
      assert.equal(again.status, 304, path);
    }
  });

  test("every answer says who served it", async () => {
    for (const path of ["/", "/api", "/api/nothing"]) {
      assert.match((await ask(here + path)).headers.get("dunlin-served-by"), /^[a-z0-9-]+\/[a-z0-9-]+$/);
    }
  });

  test("urls fit what the client typed, behind a proxy too", async () => {
    const urlFor = async (headers) => ((await post('{"title":"a"}', headers)).json()).url;
    assert.match(await urlFor({}), new RegExp(`^${root}/\\d+$`));
    assert.match(
      await urlFor({ "x-forwarded-proto": "https", "x-forwarded-host": "todo.example.com" }),
      /^https:\/\/todo\.example\.com\/api\/\d+$/,
    );
    assert.match(await urlFor({ forwarded: "proto=https;host=todo.example.com" }), /^https:\/\/todo\.example\.com\/api/);
  });
});

describe("another origin", () => {
  let browser, other, api;
  before(async () => {
    browser = await launch();
    other = await elsewhere();
    const page = await browser.newPage();
    await page.goto(other.url);
    api = client(page);
  });
  after(async () => {
    await browser?.close();
    other?.close();
  });

  test("may call every route, and read its refusals and who served it", async () => {
    assert.equal((await api.put(`${root}/999999`, { title: "a" })).status, 404);
    assert.equal((await api.post(root, {})).status, 400);
    assert.equal((await api.patch(root, {})).status, 405);
    assert.equal((await api.delete(`${root}/one`)).status, 404);
    const created = await api.post(root, { title: "a" });
    assert.match(created.headers["dunlin-served-by"], /\//);
    assert.equal(created.headers.location, created.body.url);
  });
});

describe("two sites", () => {
  test("what is posted at one is listed at the other", async () => {
    const first = (await post('{"title":"from here"}')).json();
    const second = (await post('{"title":"from there"}', {}, `${there}/api`)).json();
    for (const site of [here, there]) {
      const list = (await ask(`${site}/api`)).json();
      assert.deepEqual(list.map(({ id, title }) => [id, title]), [[first.id, "from here"], [second.id, "from there"]]);
      assert.ok(list.every(({ url }) => url.startsWith(site)));
    }
  });

  test("a hundred POSTs at once make a hundred todos", async () => {
    const posted = await Promise.all(
      Array.from({ length: 100 }, async (_, index) => {
        const site = index % 2 ? here : there;
        const response = await post(JSON.stringify({ title: `todo ${index}` }), {}, `${site}/api`);
        assert.equal(response.status, 201);
        return response.json().id;
      }),
    );
    assert.equal(new Set(posted).size, 100);
    for (const site of [here, there]) {
      const list = (await ask(`${site}/api`)).json();
      assert.deepEqual(list.map(({ id }) => id), posted.toSorted((a, b) => a - b));
    }
  });

  test("changes to one todo from both never undo each other", async () => {
    const { id } = (await post('{"title":"shared"}')).json();
    const patch = (site, fields) =>
      ask(`${site}/api/${id}`, { method: "PATCH", headers: json, body: JSON.stringify(fields) });
    for (let round = 0; round < 10; round += 1) {
      const completed = round % 2 === 0;
      const answers = await Promise.all([patch(here, { completed }), patch(there, { order: round })]);
      assert.deepEqual(answers.map(({ status }) => status), [200, 200]);
      const todo = (await ask(`${root}/${id}`)).json();
      assert.deepEqual([todo.completed, todo.order], [completed, round]);
    }
  });
});
