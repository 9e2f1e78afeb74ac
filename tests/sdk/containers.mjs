// Container groups by the newest npm package of Azure, with exec over its WebSocket. Environment: what `sundog env`
// prints, and SUNDOG_SDK_IMAGE (an image with a shell). Prints one line a check; ends with status 1 on the first that fails.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { ContainerInstanceManagementClient } from "@azure/arm-containerinstance";
import { ResourceManagementClient } from "@azure/arm-resources";
import { ClientSecretCredential } from "@azure/identity";
import WebSocket from "ws";
import { check, collect, eventually, passed } from "./check.mjs";

const host = process.env.AZURE_AUTHORITY_HOST;
const { AZURE_TENANT_ID: tenant, AZURE_CLIENT_ID: app, AZURE_CLIENT_SECRET: secret, SUNDOG_SDK_IMAGE: image } = process.env;
const scope = `${host}/.default`;
const credential = new ClientSecretCredential(tenant, app, secret, { authorityHost: host, disableInstanceDiscovery: true });
const at = { endpoint: host, credentialScopes: [scope], credentials: { scopes: [scope] } };
const subscription = process.env.AZURE_SUBSCRIPTION_ID;
const client = new ContainerInstanceManagementClient(credential, subscription, at);

// The first message is the password; then bytes both ways until the server closes.
function exec(uri, password, input) {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(uri, { ca: readFileSync(process.env.NODE_EXTRA_CA_CERTS) });
    let output = "";
    socket.on("open", () => {
      socket.send(password);
      socket.send(Buffer.from(input));
    });
    socket.on("message", (data) => (output += data.toString()));
    socket.on("close", (code) => resolve({ output, code }));
    socket.on("error", reject);
  });
}

await new ResourceManagementClient(credential, subscription, at).resourceGroups.createOrUpdate("jsaci", { location: "eastus" });
const spec = {
  location: "eastus",
  osType: "Linux",
  restartPolicy: "Always",
  ipAddress: { type: "Public", ports: [{ port: 80, protocol: "TCP" }] },
  containers: [
    {
      name: "main",
      image,
      command: ["/bin/sh", "-c", "echo started; echo from js > /tmp/index.html; exec httpd -f -p 80 -h /tmp"],
      ports: [{ port: 80 }],
      environmentVariables: [{ name: "A", value: "1" }, { name: "S", secureValue: "hush" }],
      resources: { requests: { cpu: 0.5, memoryInGB: 0.5 } },
    },
  ],
};

await check("create", async () => {
  const made = await client.containerGroups.beginCreateOrUpdateAndWait("jsaci", "group1", spec);
  assert.equal(made.provisioningState, "Succeeded");
  assert.equal(made.instanceView.state, "Running");
  assert.equal(made.containers[0].environmentVariables[1].secureValue, undefined);
});
await check("reach", async () => {
  const { ipAddress } = await client.containerGroups.get("jsaci", "group1");
  const answer = await eventually(() => fetch(`http://${ipAddress.ip}/`)); // it runs before it listens
  assert.equal((await answer.text()).trim(), "from js");
});
await check("list", async () => {
  assert.deepEqual((await collect(client.containerGroups.listByResourceGroup("jsaci"))).map((one) => one.name), ["group1"]);
  assert.ok((await collect(client.containerGroups.list())).length >= 1);
});
await check("logs", async () =>
  assert.equal((await client.containers.listLogs("jsaci", "group1", "main", { tail: 1 })).content, "started\n"));
await check("exec", async () => {
  const { webSocketUri, password } = await client.containers.executeCommand("jsaci", "group1", "main", {
    command: "/bin/sh",
    terminalSize: { rows: 24, cols: 80 },
  });
  const { output, code } = await exec(webSocketUri, password, "echo $A-$((40+2))\nexit\n");
  assert.match(output, /1-42/);
  assert.equal(code, 1000);
});
await check("attach", async () => {
  const { webSocketUri, password } = await client.containers.attach("jsaci", "group1", "main");
  assert.ok(webSocketUri && password);
});
await check("tags", async () =>
  assert.deepEqual((await client.containerGroups.update("jsaci", "group1", { tags: { a: "b" } })).tags, { a: "b" }));
await check("restart, stop, start", async () => {
  await client.containerGroups.beginRestartAndWait("jsaci", "group1");
  await client.containerGroups.stop("jsaci", "group1");
  assert.equal((await client.containerGroups.get("jsaci", "group1")).instanceView.state, "Stopped");
  await client.containerGroups.beginStartAndWait("jsaci", "group1");
  assert.equal((await client.containerGroups.get("jsaci", "group1")).instanceView.state, "Running");
});
await check("usage, capabilities, cached images, dependencies", async () => {
  assert.ok((await collect(client.location.listUsage("eastus"))).some((one) => one.name.value === "ContainerGroups"));
  assert.ok((await collect(client.location.listCapabilities("eastus"))).length > 0);
  await collect(client.location.listCachedImages("eastus"));
  assert.deepEqual(await client.containerGroups.getOutboundNetworkDependenciesEndpoints("jsaci", "group1"), []);
});
await check("mistakes", () =>
  assert.rejects(client.containerGroups.beginCreateOrUpdateAndWait("jsaci", "bad", { ...spec, containers: [] }), { statusCode: 400 }));
await check("delete", async () => {
  await client.containerGroups.beginDeleteAndWait("jsaci", "group1");
  await assert.rejects(client.containerGroups.get("jsaci", "group1"), { statusCode: 404 });
});
console.log(`${passed} checks passed`);
