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

export async function collect(iterator) {
  const all = [];
  for await (const item of iterator) all.push(item);
  return all;
}
