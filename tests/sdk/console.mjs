// The console in headless Chromium. Environment: SUNDOG_URL, SUNDOG_USER, SUNDOG_USER_PASSWORD, SUNDOG_PAGES (JSON: the
// paths to look at), SUNDOG_MAKE_GROUP (JSON: url, token). Prints one line a check; ends with status 1 on the first that
// fails.
import assert from "node:assert/strict";
import axe from "axe-core";
import { chromium } from "playwright-core";
import { check, passed } from "./check.mjs";

const base = process.env.SUNDOG_URL.replace(/\/$/, "");
const pages = JSON.parse(process.env.SUNDOG_PAGES);
const HANG_MS = 120_000; // only against hangs
const browser = await chromium.launch({
  timeout: HANG_MS,
  executablePath: "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync"],
});

// A window that notes what must never happen.
async function open(options) {
  const context = await browser.newContext(options);
  context.setDefaultTimeout(HANG_MS);
  const page = await context.newPage();
  page.wrong = [];
  page.bytes = 0;
  page.on("pageerror", (error) => page.wrong.push(`error: ${error.message}`));
  page.on("console", (message) => message.type() === "error" && page.wrong.push(`console: ${message.text()}`));
  page.on("response", (response) => { // at once: what is asked for later fails when the window is closed meanwhile
    page.bytes += Number(response.headers()["content-length"] ?? 0);
  });
  return page;
}

async function signIn(page) {
  await page.goto(`${base}/console`);
  await page.fill("#username", process.env.SUNDOG_USER);
  await page.fill("#password", process.env.SUNDOG_USER_PASSWORD);
  await page.click("text=Sign in >> nth=-1");
  await page.waitForURL(`${base}/console`);
}

async function look(page, path) {
  page.wrong.length = 0;
  page.bytes = 0;
  const answer = await page.goto(base + path);
  assert.equal(answer.status(), 200, path);
  await page.waitForTimeout(50);
  assert.deepEqual(page.wrong, [], path);
  assert.ok(page.bytes < 200_000, `${path}: ${page.bytes} bytes`);
}

async function accessible(page, path) {
  await page.evaluate(axe.source);
  const { violations } = await page.evaluate(() => axe.run(document, { resultTypes: ["violations"] }));
  const serious = violations.filter((v) => ["serious", "critical"].includes(v.impact));
  assert.deepEqual(serious.map((v) => `${path} ${v.id}: ${v.nodes[0].html}`), []);
}

for (const [name, options] of [
  ["light, laptop", { colorScheme: "light", viewport: { width: 1280, height: 900 } }],
  ["dark, phone", { colorScheme: "dark", viewport: { width: 390, height: 800 } }],
])
  await check(`pages, ${name}`, async () => {
    const page = await open(options);
    await signIn(page);
    for (const path of pages) {
      await look(page, path);
      await accessible(page, path);
      const [wide, room] = await page.evaluate(() => [document.scrollingElement.scrollWidth, innerWidth]);
      assert.ok(wide <= room, `${path} is ${wide} wide in a window of ${room}`);
    }
    await page.context().close();
  });

await check("sign-in page", async () => {
  const page = await open({});
  await page.goto(`${base}/console`);
  await accessible(page, "sign-in");
  assert.deepEqual(page.wrong, []);
  await page.context().close();
});

await check("a page changes while one looks", async () => {
  const page = await open({});
  await signIn(page);
  await page.goto(`${base}/console/groups`);
  const { url, token } = JSON.parse(process.env.SUNDOG_MAKE_GROUP);
  const made = await fetch(url, {
    method: "PUT",
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    body: JSON.stringify({ location: "eastus" }),
  });
  assert.ok(made.ok, await made.text());
  await page.waitForSelector("text=made-while-looking");
  assert.deepEqual(page.wrong, []);
  await page.context().close();
});

await check("keyboard", async () => {
  const page = await open({});
  await signIn(page);
  await page.keyboard.press("Tab");
  assert.equal(await page.evaluate(() => document.activeElement.className), "skip");
  await page.keyboard.press("Enter");
  await page.waitForURL(/#main$/);
  await page.context().close();
});

await check("without script", async () => {
  const page = await open({ javaScriptEnabled: false });
  await signIn(page);
  await page.goto(`${base}/console/activity`);
  assert.match(await page.textContent("main"), /UTC/);
  await page.context().close();
});

await browser.close();
console.log(`${passed} checks passed`);
