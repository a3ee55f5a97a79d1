// The sixteen checks of the TodoBackend specification, against the ingress of each site, made by a page of another
// origin, so that the browser enforces CORS on every one of them.

import assert from "node:assert/strict";
import { after, before, beforeEach, describe, test } from "node:test";
import { elsewhere, launch, sites } from "../support/browser.js";
import { client } from "../support/client.js";

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

for (const site of sites()) {
  const root = `${site}/api`;

  /** Posts a todo and gives it back as the server has it. */
  const create = async (fields = {}) => (await api.post(root, { title: "blah", ...fields })).body;

  describe(`TodoBackend at ${site}: the root`, () => {
    test("answers a GET", async () => {
      assert.equal((await api.get(root)).status, 200);
    });

    test("answers a POST with the todo that was posted", async () => {
      const { status, body } = await api.post(root, { title: "a todo" });
      assert.equal(status, 201);
      assert.equal(body.title, "a todo");
    });

    test("answers a DELETE", async () => {
      assert.equal((await api.delete(root)).status, 204);
    });

    test("is empty after a DELETE", async () => {
      await create();
      await api.delete(root);
      assert.deepEqual((await api.get(root)).body, []);
    });
  });

  describe(`TodoBackend at ${site}: new todos`, () => {
    beforeEach(() => api.delete(root));

    test("are in the list", async () => {
      await create({ title: "walk the dog" });
      const { body } = await api.get(root);
      assert.deepEqual(body.map((todo) => todo.title), ["walk the dog"]);
    });

    test("are not completed", async () => {
      await create();
      const [todo] = (await api.get(root)).body;
      assert.equal(todo.completed, false);
    });

    test("have a url", async () => {
      const todo = await create();
      assert.equal(new URL(todo.url).origin, site);
      assert.deepEqual((await api.get(root)).body.map(({ url }) => url), [todo.url]);
    });

    test("have a url that leads to them", async () => {
      const todo = await create({ title: "my todo" });
      const { status, body } = await api.get(todo.url);
      assert.equal(status, 200);
      assert.deepEqual(body, todo);
    });
  });

  describe(`TodoBackend at ${site}: a todo`, () => {
    beforeEach(() => api.delete(root));

    test("is reached from the list by its url", async () => {
      await create({ title: "todo the first" });
      await create({ title: "todo the second" });
      const list = (await api.get(root)).body;
      assert.equal(list.length, 2);
      assert.deepEqual((await api.get(list[0].url)).body, list[0]);
    });

    test("gets another title by PATCH", async () => {
      const { url } = await create({ title: "initial title" });
      const { status, body } = await api.patch(url, { title: "bathe the cat" });
      assert.equal(status, 200);
      assert.equal(body.title, "bathe the cat");
    });

    test("is completed by PATCH", async () => {
      const { url } = await create();
      assert.equal((await api.patch(url, { completed: true })).body.completed, true);
    });

    test("keeps its changes, alone and in the list", async () => {
      const { url } = await create();
      await api.patch(url, { title: "changed title", completed: true });
      for (const todo of [(await api.get(url)).body, (await api.get(root)).body[0]]) {
        assert.equal(todo.title, "changed title");
        assert.equal(todo.completed, true);
      }
    });

    test("is gone after a DELETE", async () => {
      const { url } = await create();
      assert.equal((await api.delete(url)).status, 204);
      assert.deepEqual((await api.get(root)).body, []);
      assert.equal((await api.get(url)).status, 404);
    });
  });

  describe(`TodoBackend at ${site}: order`, () => {
    beforeEach(() => api.delete(root));

    test("is given by POST", async () => {
      assert.equal((await create({ order: 523 })).order, 523);
    });

    test("is changed by PATCH", async () => {
      const { url } = await create({ order: 10 });
      assert.equal((await api.patch(url, { order: 95 })).body.order, 95);
    });

    test("is kept, also as null", async () => {
      const { url } = await create({ order: 10 });
      await api.patch(url, { order: 95 });
      assert.equal((await api.get(url)).body.order, 95);
      await api.patch(url, { order: null });
      assert.equal((await api.get(url)).body.order, null);
    });
  });
}
