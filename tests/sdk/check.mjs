// What the checks share: one line a check, status 1 on the first that fails.
export let passed = 0;

export async function check(name, run) {
  try {
    await run();
  } catch (error) {
    console.error(`FAILED ${name}\n${error.stack}\n${JSON.stringify(error.details ?? error.response?.bodyAsText ?? "")}`);
    process.exit(1);
  }
  passed += 1;
  console.log(`ok ${name}`);
}

// What run answers once it does; the time is only against hangs.
export async function eventually(run) {
  for (const end = Date.now() + 120000; ; await new Promise((resolve) => setTimeout(resolve, 50)))
    try {
      return await run();
    } catch (error) {
      if (Date.now() > end) throw error;
    }
}

export async function collect(iterator) {
  const all = [];
  for await (const item of iterator) all.push(item);
  return all;
}
