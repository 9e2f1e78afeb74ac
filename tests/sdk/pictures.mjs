// Pictures of the console. Environment: SUNDOG_URL, SUNDOG_USER, SUNDOG_USER_PASSWORD, SUNDOG_FOLDER, SUNDOG_PICTURES (JSON:
// [name, path, colour scheme, width]).
import { chromium } from "playwright-core";
import { check, passed } from "./check.mjs";

const base = process.env.SUNDOG_URL.replace(/\/$/, "");
const browser = await chromium.launch({
  executablePath: "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync"],
});
for (const [name, path, colorScheme, width] of JSON.parse(process.env.SUNDOG_PICTURES))
  await check(name, async () => {
    const context = await browser.newContext({ colorScheme, viewport: { width, height: 800 } });
    const page = await context.newPage();
    await page.goto(`${base}/console`);
    await page.fill("#username", process.env.SUNDOG_USER);
    await page.fill("#password", process.env.SUNDOG_USER_PASSWORD);
    await page.click("text=Sign in >> nth=-1");
    const answer = await page.goto(base + path);
    if (answer.status() !== 200)
      throw new Error(`${path}: ${answer.status()}`);
    await page.waitForTimeout(1500);
    await page.screenshot({ path: `${process.env.SUNDOG_FOLDER}/${name}.png` });
    await context.close();
  });
await browser.close();
console.log(`${passed} checks passed`);
