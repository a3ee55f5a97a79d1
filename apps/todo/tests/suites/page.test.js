// The page in a real browser, as wide as a desktop and as a phone.

import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { after, afterEach, before, beforeEach, describe, test } from "node:test";
import { ask } from "../support/ask.js";
import { launch, sites } from "../support/browser.js";
import { until } from "../support/until.js";

const [here, there = here] = sites();
const pictures = process.env.DUNLIN_SCREENSHOTS;
const WIDTHS = {
  desktop: { viewport: { width: 1280, height: 800 } },
  phone: { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true, deviceScaleFactor: 2 },
};

let browser;
before(async () => (browser = await launch()));
after(() => browser?.close());

for (const [name, options] of Object.entries(WIDTHS)) {
  describe(`the page on a ${name}`, () => {
    let context, page, complaints;

    /** The todos as the page shows them. */
    const shown = () =>
      page.locator("#list > li").evaluateAll((items) =>
        items.map((item) => [item.querySelector(".title").textContent, item.classList.contains("completed")]),
      );
    const shows = (expected) =>
      until(`the page to show ${JSON.stringify(expected)}`, async () => {
        assert.deepEqual(await shown(), expected);
        return true;
      });
    const item = (title) => page.locator("#list > li").filter({ has: page.getByText(title, { exact: true }) });
    const add = async (title) => {
      await page.getByLabel("What is there to do?").fill(title);
      await page.getByRole("button", { name: "Add", exact: true }).click();
      await item(title).first().waitFor();
    };
    const stored = async () => (await ask(`${here}/api`)).json().map((todo) => [todo.title, todo.completed]);
    const picture = async (of, scheme = "light") => {
      if (!pictures) return;
      mkdirSync(pictures, { recursive: true });
      await page.emulateMedia({ colorScheme: scheme, reducedMotion: "reduce" });
      await page.screenshot({ path: join(pictures, `${name}-${of}-${scheme}.png`) });
    };

    beforeEach(async () => {
      assert.equal((await ask(`${here}/api`, { method: "DELETE" })).status, 204);
      context = await browser.newContext(options);
      page = await context.newPage();
      page.setDefaultTimeout(10_000);
      complaints = [];
      page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
      page.on("pageerror", (error) => complaints.push(String(error)));
      page.on("request", (request) => {
        if (new URL(request.url()).origin !== here) complaints.push(`asked ${request.url()}`);
      });
      await page.goto(here);
      await page.getByText("Nothing to do").waitFor();
    });

    afterEach(async () => {
      const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      await context.close();
      assert.ok(wide <= 0, `the page is ${wide} pixels too wide`);
      assert.deepEqual(complaints, []);
    });

    test("adds todos, and keeps them", async () => {
      await picture("empty");
      await add("Water the plants");
      await page.getByLabel("What is there to do?").fill("Call the dentist");
      await page.keyboard.press("Enter");
      const expected = [["Water the plants", false], ["Call the dentist", false]];
      await shows(expected);
      assert.equal(await page.getByLabel("What is there to do?").inputValue(), "");
      assert.equal(await page.locator("#left").textContent(), "2 left");
      await page.reload();
      await shows(expected);
      assert.deepEqual(await stored(), expected);
    });

    test("edits with a double click", async () => {
      await add("Water the plants");
      await item("Water the plants").locator(".title").dblclick();
      await page.getByRole("textbox", { name: "Title" }).fill("Water all the plants");
      await picture("editing");
      await page.keyboard.press("Enter");
      await shows([["Water all the plants", false]]);
      await until("the edit to be stored", async () =>
        (await stored())[0][0] === "Water all the plants" ? true : undefined,
      );
    });

    test("edits with its button, and leaving the field saves", async () => {
      await add("one");
      await item("one").hover();
      await page.getByRole("button", { name: "Edit one" }).click();
      await page.getByRole("textbox", { name: "Title" }).fill("two");
      await page.getByRole("heading", { name: "Todos" }).click();
      await shows([["two", false]]);
      await until("the edit to be stored", async () => ((await stored())[0][0] === "two" ? true : undefined));
    });

    test("is used with the keyboard alone", async () => {
      await page.getByLabel("What is there to do?").focus();
      await page.keyboard.type("one");
      await page.keyboard.press("Enter");
      await shows([["one", false]]);
      // Add, then the todo's box, title, edit and delete.
      await page.keyboard.press("Tab");
      await page.keyboard.press("Tab");
      await page.keyboard.press("Space");
      await shows([["one", true]]);
      await page.keyboard.press("Tab");
      await page.keyboard.press("Enter");
      await page.keyboard.press("Control+A");
      await page.keyboard.type("never");
      await page.keyboard.press("Escape");
      await shows([["one", true]]);
      await page.keyboard.press("Enter");
      await page.keyboard.press("Control+A");
      await page.keyboard.type("two");
      await page.keyboard.press("Enter");
      await shows([["two", true]]);
      await page.keyboard.press("Tab");
      await page.keyboard.press("Tab");
      await page.keyboard.press("Enter");
      await shows([]);
      const focused = await page.evaluate(() => document.activeElement.id);
      assert.equal(focused, "title");
    });

    test("completes, filters, and clears what is completed", async () => {
      for (const title of ["Water the plants", "Call the dentist", "Read the paper"]) await add(title);
      await item("Call the dentist").getByRole("checkbox").check();
      await shows([["Water the plants", false], ["Call the dentist", true], ["Read the paper", false]]);
      assert.equal(await page.locator("#left").textContent(), "2 left");
      await picture("list");
      await picture("list", "dark");
      await page.getByRole("link", { name: "Active" }).click();
      await shows([["Water the plants", false], ["Read the paper", false]]);
      await page.getByRole("link", { name: "Completed" }).click();
      await shows([["Call the dentist", true]]);
      // The filter is in the address.
      await page.reload();
      await shows([["Call the dentist", true]]);
      assert.equal(await page.getByRole("link", { name: "Completed" }).getAttribute("aria-current"), "true");
      // A click, not `uncheck`: what is unchecked leaves this list, and there is nothing left to look at.
      await item("Call the dentist").getByRole("checkbox").click();
      await page.getByText("Nothing completed yet").waitFor();
      await page.getByRole("link", { name: "All" }).click();
      await item("Water the plants").getByRole("checkbox").check();
      await page.getByRole("button", { name: "Clear completed" }).click();
      await shows([["Call the dentist", false], ["Read the paper", false]]);
      await until("the rest to be stored", async () => ((await stored()).length === 2 ? true : undefined));
    });

    test("deletes", async () => {
      await add("one");
      await add("two");
      await item("one").hover();
      await page.getByRole("button", { name: "Delete one" }).click();
      await shows([["two", false]]);
      await until("it to be gone", async () => ((await stored()).length === 1 ? true : undefined));
    });

    test("shows which site and host served it", async () => {
      const answer = await Promise.all([
        page.waitForResponse((response) => response.url().endsWith("/api") && response.request().method() === "POST"),
        add("one"),
      ]).then(([response]) => response.headers()["dunlin-served-by"]);
      const [site, host] = answer.split("/");
      await until("the page to say so", async () => {
        // A refresh in between may have been served by another host of the same site.
        const text = (await page.locator("#served").innerText()).replace(/\s+/g, " ");
        return text.includes(site) && host ? true : undefined;
      });
      assert.match(await page.locator("#served").innerText(), new RegExp(`${site}\\s+[a-z0-9-]+`));
    });

    test("shows what was changed at the other site", async () => {
      await add("one");
      const headers = { "content-type": "application/json" };
      await ask(`${there}/api`, { method: "POST", headers, body: '{"title":"from there"}' });
      await shows([["one", false], ["from there", false]]);
    });

    test("says what went wrong, and tries again", async () => {
      let refuse = true;
      await page.route("**/api", (route) =>
        refuse && route.request().method() === "POST"
          ? route.fulfill({ status: 503, json: { error: "not executed: the store is away" } })
          : route.fallback(),
      );
      await page.getByLabel("What is there to do?").fill("one");
      await page.keyboard.press("Enter");
      await page.getByRole("alert").getByText("the store is away").waitFor();
      assert.equal(await page.getByLabel("What is there to do?").inputValue(), "one");
      await picture("trouble");
      refuse = false;
      await page.getByRole("button", { name: "Try again" }).click();
      await shows([["one", false]]);
      assert.equal(await page.getByRole("alert").isVisible(), false);
      assert.equal(await page.getByLabel("What is there to do?").inputValue(), "");
      // The browser itself reports the 503 that was made here.
      complaints = complaints.filter((complaint) => !complaint.includes("503"));
    });

    test("holds whatever is written into it", async () => {
      await add("<img src=x onerror=alert(1)> & \"quotes\" ☃ 木");
      await add("w".repeat(300));
      await shows([["<img src=x onerror=alert(1)> & \"quotes\" ☃ 木", false], ["w".repeat(300), false]]);
      await picture("long");
    });
  });
}
