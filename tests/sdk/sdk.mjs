// The newest npm packages of Azure against one Sundog. Environment: what `sundog env` prints, and
// SUNDOG_SDK_MADE (a login server with the repository hello-world). Prints one line a check; ends with status 1
// on the first that fails.
import assert from "node:assert/strict";
import { AuthorizationManagementClient } from "@azure/arm-authorization";
import { ContainerRegistryManagementClient } from "@azure/arm-containerregistry";
import { ResourceManagementClient } from "@azure/arm-resources";
import { DeploymentsClient } from "@azure/arm-resourcesdeployments";
import { SubscriptionClient } from "@azure/arm-resources-subscriptions";
import { ContainerRegistryClient } from "@azure/container-registry";
import { ClientSecretCredential, DefaultAzureCredential, EnvironmentCredential, UsernamePasswordCredential } from "@azure/identity";
import { check, collect, passed } from "./check.mjs";

const host = process.env.AZURE_AUTHORITY_HOST;
const subscription = process.env.AZURE_SUBSCRIPTION_ID;
const { AZURE_TENANT_ID: tenant, AZURE_CLIENT_ID: app, AZURE_CLIENT_SECRET: secret } = process.env;
const options = { authorityHost: host, disableInstanceDiscovery: true };
const scope = `${host}/.default`;
const credential = new ClientSecretCredential(tenant, app, secret, options);
const at = { endpoint: host, credentialScopes: [scope], credentials: { scopes: [scope] } };

await check("identity: client secret", async () => assert.ok((await credential.getToken(scope)).token));
await check("identity: wrong secret", () =>
  assert.rejects(new ClientSecretCredential(tenant, app, "wrong", options).getToken(scope), /AADSTS7000215/));
await check("identity: environment", async () => assert.ok((await new EnvironmentCredential(options).getToken(scope)).token));
await check("identity: default", async () => assert.ok((await new DefaultAzureCredential(options).getToken(scope)).token));
await check("identity: adfs tenant", async () =>
  assert.ok((await new ClientSecretCredential("adfs", app, secret, options).getToken(scope)).token));
await check("identity: user and password", async () => {
  const user = new UsernamePasswordCredential(tenant, "04b07795-8ddb-461a-bbee-02f9e1bf7b46", process.env.SUNDOG_USER, process.env.SUNDOG_USER_PASSWORD, options);
  assert.ok((await user.getToken(scope)).token);
});

const subscriptions = new SubscriptionClient(credential, at);
await check("subscriptions", async () => {
  const all = await collect(subscriptions.subscriptions.list());
  assert.deepEqual(all.map((one) => one.subscriptionId), [subscription]);
  assert.ok((await collect(subscriptions.subscriptions.listLocations(subscription))).length > 3);
  assert.ok((await collect(subscriptions.tenants.list())).some((one) => one.tenantId === tenant));
});

const resources = new ResourceManagementClient(credential, subscription, at);
await check("resource groups", async () => {
  const made = await resources.resourceGroups.createOrUpdate("js", { location: "East US", tags: { a: "b" } });
  assert.equal(made.location, "eastus");
  assert.equal((await resources.resourceGroups.get("JS")).name, "js");
  assert.ok((await collect(resources.resourceGroups.list())).some((one) => one.name === "js"));
  await assert.rejects(resources.resourceGroups.get("nowhere"), (error) => error.statusCode === 404 && error.code === "ResourceGroupNotFound");
  await assert.rejects(resources.resourceGroups.createOrUpdate("js", { location: "westus" }), (error) => error.statusCode === 409);
});

const { deployments, deploymentOperations } = new DeploymentsClient(credential, subscription, at);
await check("deployments", async () => {
  const template = {
    $schema: "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#", contentVersion: "1.0.0.0",
    parameters: { name: { type: "string" } },
    resources: [{ type: "Microsoft.ContainerRegistry/registries", apiVersion: "2023-07-01", name: "[parameters('name')]",
                  location: "[resourceGroup().location]", sku: { name: "Basic" } }],
    outputs: { server: { type: "string", value: "[reference(parameters('name')).loginServer]" } },
  };
  const body = (name) => ({ properties: { mode: "Incremental", template, parameters: { name: { value: name } } } });
  const made = await deployments.beginCreateOrUpdateAndWait("js", "bysdk", body("jsdeployed"));
  assert.equal(made.properties.provisioningState, "Succeeded");
  assert.match(made.properties.outputs.server.value, /^jsdeployed\./);
  assert.ok((await collect(deployments.listByResourceGroup("js"))).some((one) => one.name === "bysdk"));
  assert.equal((await collect(deploymentOperations.list("js", "bysdk"))).length, 1);
  const foretold = await deployments.beginWhatIfAndWait("js", "bysdk", body("jsother01"));
  assert.ok((foretold.changes ?? foretold.properties?.changes).some((one) => one.changeType === "Create"));
  assert.ok(await deployments.beginValidateAndWait("js", "bysdk", body("jsother01")));
  await assert.rejects(deployments.beginCreateOrUpdateAndWait("js", "bysdk", body("no")), /DeploymentFailed|At least one resource|failed/);
  assert.equal((await deployments.get("js", "bysdk")).properties.error.code, "DeploymentFailed");
  await deployments.beginDeleteAndWait("js", "bysdk");
  await assert.rejects(deployments.get("js", "bysdk"), (error) => error.statusCode === 404 && error.code === "DeploymentNotFound");
});

const registries = new ContainerRegistryManagementClient(credential, subscription, at);
await check("registries", async () => {
  const made = await registries.registries.beginCreateAndWait("js", "jsregistry", {
    location: "eastus", sku: { name: "Premium" }, adminUserEnabled: true, properties: { adminUserEnabled: true },
  });
  assert.equal(made.sku.name, "Premium");
  const got = await registries.registries.get("js", "jsregistry");
  assert.equal(got.loginServer ?? got.properties?.loginServer, made.loginServer ?? made.properties?.loginServer);
  assert.equal((await registries.registries.listCredentials("js", "jsregistry")).username, "jsregistry");
  assert.ok((await collect(registries.registries.list())).length >= 1);
  assert.equal((await registries.registries.checkNameAvailability({ name: "jsregistry", type: "Microsoft.ContainerRegistry/registries" })).nameAvailable, false);
  assert.ok((await registries.registries.listUsages("js", "jsregistry")).value.some((one) => one.name === "Size"));
});

await check("role assignments", async () => {
  const roles = new AuthorizationManagementClient(credential, subscription, at);
  const group = `/subscriptions/${subscription}/resourceGroups/js`;
  const definitions = await collect(roles.roleDefinitions.list(group, { filter: "roleName eq 'AcrPull'" }));
  assert.equal(definitions.length, 1);
  assert.ok((await collect(roles.roleAssignments.listForScope(group, { filter: "atScope()" }))).length >= 1);
});

await check("the data plane", async () => {
  const server = `https://${process.env.SUNDOG_SDK_MADE}`;
  const client = new ContainerRegistryClient(server, credential, { audience: `${host}/acr` });
  assert.ok((await collect(client.listRepositoryNames())).includes("hello-world"));
  const artifact = client.getArtifact("hello-world", "v1");
  const tag = await artifact.getTagProperties("v1");
  assert.match(tag.digest, /^sha256:/);
  const manifests = await collect(client.getRepository("hello-world").listManifestProperties({ order: "LastUpdatedOnDescending" }));
  assert.equal(manifests[0].digest, tag.digest);
  const changed = await artifact.updateTagProperties("v1", { canWrite: false });
  assert.equal(changed.canWrite, false);
  await artifact.updateTagProperties("v1", { canWrite: true });
  await client.deleteRepository("hello-world");
  assert.ok(!(await collect(client.listRepositoryNames())).includes("hello-world"));
});

await check("deletion", async () => {
  await registries.registries.beginDeleteAndWait("js", "jsregistry");
  await resources.resourceGroups.beginDeleteAndWait("js");
  assert.equal((await resources.resourceGroups.checkExistence("js")).body, false);
});
console.log(`${passed} checks passed`);
