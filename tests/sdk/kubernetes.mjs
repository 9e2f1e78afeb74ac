// @kubernetes/client-node against one cluster: plain REST, patches of every kind, an informer, watches, exec and
// port-forward. Environment: KUBECONFIG, SUNDOG_SDK_IMAGE (an image with a shell). One line a check; status 1 on the
// first that fails.
import assert from "node:assert/strict";
import net from "node:net";
import { PassThrough } from "node:stream";
import * as k8s from "@kubernetes/client-node";
import { check, passed } from "./check.mjs";

const namespace = "node-client";
const config = new k8s.KubeConfig();
config.loadFromDefault();
const core = config.makeApiClient(k8s.CoreV1Api);
const apps = config.makeApiClient(k8s.AppsV1Api);
const objects = k8s.KubernetesObjectApi.makeApiClient(config);
const image = process.env.SUNDOG_SDK_IMAGE;
const script = "httpd -p 80 -h /bin; echo started; exec sleep 100000";

async function until(what, true_) {
  for (const end = Date.now() + 120_000; Date.now() < end; ) {
    if (await true_()) return;
    await new Promise((done) => setTimeout(done, 50));
  }
  assert.fail(`waited in vain until ${what}`);
}

const seen = [];
let informer;

await check("namespaces", async () => {
  await core.createNamespace({ body: { metadata: { name: namespace } } });
  await until("the default service account is there", async () =>
    (await core.listNamespacedServiceAccount({ namespace })).items.some((account) => account.metadata.name === "default"));
  await until("and the certificate", async () =>
    (await core.listNamespacedConfigMap({ namespace })).items.some((map) => map.metadata.name === "kube-root-ca.crt"));
});

await check("an informer lists, then watches", async () => {
  const list = () => core.listNamespacedConfigMap({ namespace, labelSelector: "set=x" });
  informer = k8s.makeInformer(config, `/api/v1/namespaces/${namespace}/configmaps`, list, "set=x");
  for (const event of ["add", "update", "delete"]) informer.on(event, (object) => seen.push(`${event} ${object.metadata.name}`));
  await informer.start();
});

await check("create, read, replace", async () => {
  const body = { metadata: { name: "one", labels: { set: "x" } }, data: { a: "1" } };
  const made = await core.createNamespacedConfigMap({ namespace, body });
  assert.equal(made.metadata.namespace, namespace);
  await core.createNamespacedConfigMap({ namespace, body: { metadata: { name: "other" } } });
  const got = await core.readNamespacedConfigMap({ namespace, name: "one" });
  got.data = { a: "2" };
  await core.replaceNamespacedConfigMap({ namespace, name: "one", body: got });
  await assert.rejects(core.replaceNamespacedConfigMap({ namespace, name: "one", body: got }), (error) => error.code === 409);
  await assert.rejects(core.readNamespacedConfigMap({ namespace, name: "nosuch" }), (error) => {
    assert.equal(error.code, 404);
    return JSON.parse(error.body).message === 'configmaps "nosuch" not found';
  });
});

await check("patches: its default is a JSON patch", async () => {
  const name = "one";
  await core.patchNamespacedConfigMap({ namespace, name, body: [{ op: "add", path: "/data/b", value: "3" }] });
  const merge = k8s.setHeaderOptions("Content-Type", k8s.PatchStrategy.MergePatch);
  await core.patchNamespacedConfigMap({ namespace, name, body: { data: { a: null } } }, merge);
  assert.deepEqual((await core.readNamespacedConfigMap({ namespace, name })).data, { b: "3" });
});

await check("the informer saw all of it in order", async () => {
  await core.deleteNamespacedConfigMap({ namespace, name: "one" });
  await until("the deletion is seen", () => seen.includes("delete one"));
  assert.deepEqual(seen, ["add one", "update one", "update one", "update one", "delete one"]);
  await informer.stop();
});

await check("server-side apply of any object", async () => {
  const body = { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "applied", namespace }, data: { a: "1", b: "2" } };
  const apply = () => objects.patch(body, undefined, undefined, "tests", true, k8s.PatchStrategy.ServerSideApply);
  await apply();
  delete body.data.b;
  const now = await apply();
  assert.deepEqual(now.data, { a: "1" });
  await objects.delete({ apiVersion: "v1", kind: "ConfigMap", metadata: { name: "applied", namespace } });
});

await check("a watch from a revision", async () => {
  const { metadata } = await core.listNamespacedConfigMap({ namespace });
  const events = [];
  const watch = new k8s.Watch(config);
  const path = `/api/v1/namespaces/${namespace}/configmaps`;
  const controller = await watch.watch(path, { resourceVersion: metadata.resourceVersion },
    (type, object) => events.push(`${type} ${object.metadata.name}`), () => {});
  await core.createNamespacedConfigMap({ namespace, body: { metadata: { name: "w" } } });
  await core.deleteNamespacedConfigMap({ namespace, name: "w" });
  await until("both are seen", () => events.length >= 2);
  controller.abort();
  assert.deepEqual(events, ["ADDED w", "DELETED w"]);
});

await check("a deployment comes up and is scaled", async () => {
  const labels = { app: "web" };
  const container = { name: "main", image, command: ["/bin/sh", "-c", script] };
  const template = { metadata: { labels }, spec: { terminationGracePeriodSeconds: 0, containers: [container] } };
  const body = { metadata: { name: "web" }, spec: { replicas: 1, selector: { matchLabels: labels }, template } };
  await apps.createNamespacedDeployment({ namespace, body });
  const scale = await apps.readNamespacedDeploymentScale({ namespace, name: "web" });
  assert.equal(scale.status.selector, "app=web");
  delete scale.metadata.resourceVersion; // its controller changes it, too
  scale.spec.replicas = 2;
  await apps.replaceNamespacedDeploymentScale({ namespace, name: "web", body: scale });
  await until("both are available", async () =>
    (await apps.readNamespacedDeployment({ namespace, name: "web" })).status.availableReplicas === 2);
});

const pod = (await core.listNamespacedPod({ namespace, labelSelector: "app=web" })).items[0]?.metadata.name;

await check("logs", async () => {
  await until("it says so", async () => (await core.readNamespacedPodLog({ namespace, name: pod })) === "started\n");
  const stream = new PassThrough();
  let text = "";
  stream.on("data", (data) => (text += data));
  const controller = await new k8s.Log(config).log(namespace, pod, "main", stream, { follow: true });
  await until("it is followed", () => text === "started\n");
  controller.abort();
});

function exec(command, input) {
  return new Promise((resolve, reject) => {
    const [stdout, stderr, stdin] = [new PassThrough(), new PassThrough(), input === undefined ? null : new PassThrough()];
    let [out, err] = ["", ""];
    stdout.on("data", (data) => (out += data));
    stderr.on("data", (data) => (err += data));
    new k8s.Exec(config).exec(namespace, pod, "main", command, stdout, stderr, stdin, false,
      (status) => resolve({ out, err, status })).catch(reject);
    stdin?.end(input);
  });
}

await check("exec: outputs, input, status", async () => {
  const { out, err, status } = await exec(["sh", "-c", "read a; echo got $a; echo oops >&2; exit 3"], "words\n");
  assert.deepEqual([out, err], ["got words\n", "oops\n"]);
  assert.equal(status.status, "Failure");
  assert.equal(status.details.causes.find((cause) => cause.reason === "ExitCode").message, "3");
  assert.equal((await exec(["true"])).status.status, "Success");
});

await check("port-forward", async () => {
  const forward = new k8s.PortForward(config);
  const server = net.createServer((socket) => forward.portForward(namespace, pod, [80], socket, null, socket));
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  const answer = await fetch(`http://127.0.0.1:${server.address().port}/sh`);
  assert.equal(answer.status, 200);
  assert.ok((await answer.arrayBuffer()).byteLength > 100000);
  server.close();
});

await check("deletion of the namespace takes all along", async () => {
  await core.deleteNamespace({ name: namespace });
  await until("it is gone", async () => {
    try {
      await core.readNamespace({ name: namespace });
      return false;
    } catch (error) {
      return error.code === 404;
    }
  });
});

console.log(`${passed} checks passed`);
process.exit(0);
