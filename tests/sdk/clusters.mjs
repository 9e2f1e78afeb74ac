// Managed clusters by the newest npm package of Azure. Environment: what `sundog env` prints. Prints one line a check; ends
// with status 1 on the first that fails.
import assert from "node:assert/strict";
import { ContainerServiceClient } from "@azure/arm-containerservice";
import { ResourceManagementClient } from "@azure/arm-resources";
import { ClientSecretCredential } from "@azure/identity";
import { check, collect, passed } from "./check.mjs";

const host = process.env.AZURE_AUTHORITY_HOST;
const { AZURE_TENANT_ID: tenant, AZURE_CLIENT_ID: app, AZURE_CLIENT_SECRET: secret } = process.env;
const scope = `${host}/.default`;
const credential = new ClientSecretCredential(tenant, app, secret, { authorityHost: host, disableInstanceDiscovery: true });
const at = { endpoint: host, credentialScopes: [scope], credentials: { scopes: [scope] } };
const subscription = process.env.AZURE_SUBSCRIPTION_ID;
const client = new ContainerServiceClient(credential, subscription, at);
const clusters = client.managedClusters;
const pools = client.agentPools;

await new ResourceManagementClient(credential, subscription, at).resourceGroups.createOrUpdate("jsaks", { location: "eastus" });

// A poller that can be awaited, or a method that waits by itself: both styles of the packages.
const done = async (operation) => (operation.pollUntilDone ? operation.pollUntilDone() : operation);

await check("versions", async () => {
  const { values } = await clusters.listKubernetesVersions("eastus");
  assert.deepEqual(values.map((one) => [one.version, Object.keys(one.patchVersions)]), [["1.33", ["1.33.5"]]]);
});
await check("create", async () => {
  const made = await done(
    clusters.createOrUpdate("jsaks", "c1", {
      location: "eastus",
      identity: { type: "SystemAssigned" },
      dnsPrefix: "js",
      agentPoolProfiles: [{ name: "pool1", count: 1, vmSize: "Standard_DS2_v2", mode: "System" }],
    }),
  );
  assert.equal(made.provisioningState, "Succeeded");
  assert.equal(made.powerState.code, "Running");
  assert.equal(made.networkProfile.podCidr, "10.244.0.0/16");
});
await check("get, list", async () => {
  assert.equal((await clusters.get("jsaks", "c1")).kubernetesVersion, "1.33.5");
  assert.deepEqual((await collect(clusters.listByResourceGroup("jsaks"))).map((one) => one.name), ["c1"]);
  assert.equal((await collect(clusters.list())).length, 1);
});
await check("credentials", async () => {
  const { kubeconfigs } = await clusters.listClusterAdminCredentials("jsaks", "c1");
  const text = Buffer.from(kubeconfigs[0].value).toString();
  assert.match(text.startsWith("apiVersion") ? text : Buffer.from(text, "base64").toString(), /clusterAdmin_jsaks_c1/);
  assert.equal((await clusters.listClusterUserCredentials("jsaks", "c1")).kubeconfigs.length, 1);
});
await check("pool: add, scale, list, delete", async () => {
  const pool = { count: 1, vmSize: "Standard_DS2_v2", mode: "User" };
  assert.equal((await done(pools.createOrUpdate("jsaks", "c1", "pool2", pool))).provisioningState, "Succeeded");
  assert.equal((await done(pools.createOrUpdate("jsaks", "c1", "pool2", { ...pool, count: 2 }))).count, 2);
  assert.deepEqual((await collect(pools.list("jsaks", "c1"))).map((one) => one.name).sort(), ["pool1", "pool2"]);
  assert.equal((await pools.getUpgradeProfile("jsaks", "c1", "pool2")).kubernetesVersion, "1.33.5");
  await done(pools.delete("jsaks", "c1", "pool2"));
  assert.equal((await collect(pools.list("jsaks", "c1"))).length, 1);
});
await check("tags", async () => {
  assert.deepEqual((await done(clusters.updateTags("jsaks", "c1", { tags: { a: "b" } }))).tags, { a: "b" });
});
await check("stop, start", async () => {
  await done(clusters.stop("jsaks", "c1"));
  assert.equal((await clusters.get("jsaks", "c1")).powerState.code, "Stopped");
  await done(clusters.start("jsaks", "c1"));
  assert.equal((await clusters.get("jsaks", "c1")).powerState.code, "Running");
});
await check("what is not built says so", async () => {
  await assert.rejects(async () => done(clusters.rotateClusterCertificates("jsaks", "c1")), { code: "NotSupported" });
  await assert.rejects(async () => done(clusters.runCommand("jsaks", "c1", { command: "true" })), { code: "NotSupported" });
});
await check("delete", async () => {
  await done(clusters.delete("jsaks", "c1"));
  await assert.rejects(clusters.get("jsaks", "c1"), { statusCode: 404 });
});
console.log(`${passed} checks passed`);
