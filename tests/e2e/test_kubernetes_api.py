"""What people do with kubectl, command by command, with every kubectl of this machine: old ones validate by OpenAPI v2
and speak SPDY, new ones send protobuf, ask for aggregated discovery and read OpenAPI v3."""

import json
import re
import subprocess
import threading

import pytest

from harness import web
from harness.clusters import Clusters, kubectls
from harness.containers import push_shell
from harness.machine import need
from harness.server import HANG_S, wait_until

IMAGE = "sundog.azurecr.io/busybox:1"
SLEEP = ["/bin/sh", "-c", "exec sleep 100000"]


@pytest.fixture(scope="module")
def clusters(sundog):
    need("root", "crun", "mount")
    push_shell(web.by_path(sundog))
    return Clusters(sundog)


@pytest.fixture(scope="module")
def cluster(clusters):
    made = clusters.create()
    yield made
    clusters.remove(made)


@pytest.fixture(scope="module", params=sorted(kubectls()))
def minor(request):
    """Each kubectl in turn, by its minor version."""
    return int(request.param.split(".")[1])


@pytest.fixture(scope="module")
def everywhere(clusters, cluster, minor):
    return clusters.kubectl(cluster, kubectls()[f"1.{minor}"])


@pytest.fixture
def kubectl(everywhere, minor, request):
    """A kubectl in a namespace of the test's own."""
    name = re.sub(r"[^a-z0-9]+", "-", f"{request.node.originalname}-{minor}".removeprefix("test_"))
    everywhere("create", "namespace", name)
    everywhere.namespace = name
    wait_until(lambda: everywhere.run("get", "serviceaccount", "default", check=False).returncode == 0,
               "the default service account is there")
    yield everywhere
    everywhere.namespace = None
    everywhere("delete", "namespace", name, "--wait=false")


def deployment(name="web", replicas=1, image=IMAGE, **labels):
    labels = {"app": name, **labels}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name},
            "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": name}},
                     "template": {"metadata": {"labels": labels}, "spec": {
                         "terminationGracePeriodSeconds": 0,
                         "containers": [{"name": "main", "image": image, "command": SLEEP}]}}}}


def service(name="web"):
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name},
            "spec": {"selector": {"app": name}, "ports": [{"port": 80}]}}


def config_map(name="settings", **data):
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def secret(name="words", **texts):
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": texts}


def several(*objects):
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})


def lines(text):
    return [re.sub(r"\s+", " ", line).strip() for line in text.splitlines() if line.strip()]


# what there is


def test_version(kubectl):
    said = json.loads(kubectl("version", "-o", "json"))
    assert (said["serverVersion"]["major"], said["serverVersion"]["minor"]) == ("1", "33")


def test_discovery(kubectl):
    for _ in range(2):  # by the cache of the first
        kinds = kubectl("api-resources", "-o", "name").split()
        assert {"pods", "deployments.apps", "horizontalpodautoscalers.autoscaling", "ingresses.networking.k8s.io",
                "customresourcedefinitions.apiextensions.k8s.io", "roles.rbac.authorization.k8s.io"} <= set(kinds)
    short = kubectl("api-resources", "--api-group=apps", "--no-headers")
    assert any(line.startswith("deployments deploy apps/v1 true Deployment") for line in lines(short)), short
    versions = kubectl("api-versions").split()
    assert {"v1", "apps/v1", "autoscaling/v1", "autoscaling/v2", "batch/v1", "policy/v1"} <= set(versions)


def test_cluster_info_and_raw(kubectl):
    assert "Kubernetes control plane" in kubectl("cluster-info")
    assert kubectl("get", "--raw", "/readyz") == "ok"
    assert "[+]" in kubectl("get", "--raw", "/livez?verbose")
    assert json.loads(kubectl("get", "--raw", "/apis/apps/v1"))["kind"] == "APIResourceList"


def test_explain(kubectl):
    assert re.search(r"replicas\s+<integer>", kubectl("explain", "deployment.spec"))
    assert "RollingUpdate" not in kubectl("explain", "pod.spec.containers.env", "--recursive")
    assert "configMapKeyRef" in kubectl("explain", "pod.spec.containers.env", "--recursive")
    done = kubectl.run("explain", "pod.spec.nosuch", check=False)
    assert done.returncode != 0 and 'field "nosuch" does not exist' in done.stderr, done


# apply


def test_apply_creates_changes_and_leaves_alone(kubectl):
    text = several(deployment(), service(), config_map(a="1"), secret(word="hush"))
    assert lines(kubectl.apply(text)) == ["deployment.apps/web created", "service/web created",
                                          "configmap/settings created", "secret/words created"]
    again = lines(kubectl.apply(text))
    assert again[:3] == ["deployment.apps/web unchanged", "service/web unchanged", "configmap/settings unchanged"]
    changed = deployment(replicas=2)
    assert lines(kubectl.apply(changed)) == ["deployment.apps/web configured"]
    assert kubectl.json("deployment", "web")["spec"]["replicas"] == 2
    assert kubectl.json("secret", "words")["data"] == {"word": "aHVzaA=="}
    kubectl("delete", "-f", "-", stdin=text)
    assert kubectl("get", "deployment,service,secret", "-o", "name").strip() == ""


def test_apply_takes_away_what_it_no_longer_says(kubectl):
    kubectl.apply(config_map(a="1", b="2"))
    kubectl.apply(config_map(b="3"))
    assert kubectl.json("configmap", "settings")["data"] == {"b": "3"}
    first = deployment()
    container = first["spec"]["template"]["spec"]["containers"][0]
    container["env"] = [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]
    kubectl.apply(first)
    container["env"] = [{"name": "B", "value": "2"}]
    kubectl.apply(first)
    got = kubectl.json("deployment", "web")["spec"]["template"]["spec"]["containers"][0]
    assert got["env"] == [{"name": "B", "value": "2"}]


def test_apply_keeps_what_others_set(kubectl):
    kubectl.apply(deployment(replicas=2))
    kubectl("scale", "deployment", "web", "--replicas=3")
    del (bare := deployment())["spec"]["replicas"]
    kubectl("label", "deployment", "web", "mine=1")
    kubectl.apply({**bare, "metadata": {"name": "web", "labels": {"own": "x"}}})
    assert kubectl.json("deployment", "web")["metadata"]["labels"] == {"mine": "1", "own": "x"}


def test_apply_refuses_unknown_fields(kubectl):
    bad = config_map(a="1")
    bad["dta"] = {}
    done = kubectl.run("apply", "-f", "-", stdin=json.dumps(bad), check=False)
    assert done.returncode != 0 and "unknown field" in done.stderr and "dta" in done.stderr, done


def test_apply_refuses_what_is_invalid(kubectl):
    bad = deployment()
    bad["spec"]["selector"]["matchLabels"] = {"app": "other"}
    done = kubectl.run("apply", "-f", "-", stdin=json.dumps(bad), check=False)
    assert 'The Deployment "web" is invalid: spec.template.metadata.labels: Invalid value' in done.stderr, done


def test_apply_prunes(kubectl, minor):
    if minor < 25:
        return  # looks for kinds that are no longer served
    one, two = config_map("one", a="1"), config_map("two", a="1")
    for each in (one, two):
        each["metadata"]["labels"] = {"set": "x"}
    kubectl.apply(several(one, two))
    said = kubectl.apply(one, "--prune", "-l", "set=x")
    assert "configmap/two pruned" in said
    names = kubectl("get", "configmaps", "-l", "set=x", "-o", "name").split()
    assert names == ["configmap/one"]


def test_apply_of_a_dry_run_writes_nothing(kubectl):
    said = kubectl.apply(config_map(a="1"), "--dry-run=server")
    assert "created (server dry run)" in said
    assert kubectl.run("get", "configmap", "settings", check=False).returncode != 0


def test_server_side_apply(kubectl):
    assert "serverside-applied" in kubectl.apply(config_map(a="1", b="2"), "--server-side")
    kubectl.apply(config_map(a="1"), "--server-side")
    assert kubectl.json("configmap", "settings")["data"] == {"a": "1"}
    done = kubectl.run("apply", "--server-side", "--field-manager=other", "-f", "-", check=False,
                       stdin=json.dumps(config_map(a="2")))
    assert done.returncode != 0 and 'conflict with "kubectl": .data.a' in done.stderr, done
    kubectl.apply(config_map(a="2"), "--server-side", "--field-manager=other", "--force-conflicts")
    assert kubectl.json("configmap", "settings")["data"] == {"a": "2"}


def test_server_side_apply_after_client_side(kubectl):
    kubectl.apply(deployment(replicas=2))
    kubectl.apply(deployment(replicas=1), "--server-side", "--force-conflicts")
    got = json.loads(kubectl("get", "--raw", f"/apis/apps/v1/namespaces/{kubectl.namespace}/deployments/web"))
    assert got["spec"]["replicas"] == 1
    assert ("kubectl", "Apply") in {(row["manager"], row["operation"]) for row in got["metadata"]["managedFields"]}


def test_diff(kubectl):
    kubectl.apply(config_map(a="1"))
    assert kubectl.run("diff", "-f", "-", stdin=json.dumps(config_map(a="1"))).stdout == ""
    done = kubectl.run("diff", "-f", "-", stdin=json.dumps(config_map(a="2")), check=False)
    assert done.returncode == 1 and re.search(r'^\+ +a: "2"$', done.stdout, re.M), done
    assert kubectl.json("configmap", "settings")["data"] == {"a": "1"}


def test_replace(kubectl):
    kubectl.apply(config_map(a="1"))
    kubectl("replace", "-f", "-", stdin=json.dumps(config_map(b="2")))
    assert kubectl.json("configmap", "settings")["data"] == {"b": "2"}
    stale = kubectl.json("configmap", "settings")
    kubectl("label", "configmap", "settings", "a=b")
    done = kubectl.run("replace", "-f", "-", stdin=json.dumps(stale), check=False)
    assert "the object has been modified; please apply your changes to the latest version" in done.stderr, done
    kubectl("replace", "--force", "-f", "-", stdin=json.dumps(config_map(c="3")))
    assert kubectl.json("configmap", "settings")["data"] == {"c": "3"}


# create


CREATED = [
    (("configmap", "c", "--from-literal=a=b"), "configmap"),
    (("secret", "generic", "c", "--from-literal=a=b"), "secret"),
    (("secret", "docker-registry", "d", "--docker-server=s", "--docker-username=u", "--docker-password=p"), "secret"),
    (("serviceaccount", "c"), "serviceaccount"),
    (("deployment", "c", "--image=" + IMAGE, "--replicas=0"), "deployment"),
    (("job", "c", "--image=" + IMAGE, "--", "true"), "job"),
    (("cronjob", "c", "--image=" + IMAGE, "--schedule=0 5 * * *", "--", "true"), "cronjob"),
    (("service", "clusterip", "c", "--tcp=80:8080"), "service"),
    (("service", "nodeport", "n", "--tcp=80"), "service"),
    (("ingress", "c", "--rule=a.example/b=web:80"), "ingress"),
    (("quota", "c", "--hard=pods=30,secrets=50"), "quota"),
    (("poddisruptionbudget", "c", "--selector=app=c", "--min-available=1"), "pdb"),
    (("role", "c", "--verb=get,list", "--resource=pods,deployments.apps"), "role"),
    (("rolebinding", "c", "--role=c", "--user=eve", "--group=people", "--serviceaccount=default:default"),
     "rolebinding"),
]


def test_create_of_every_kind(kubectl, minor):
    for args, kind in CREATED:
        if kind in ("cronjob", "pdb", "ingress") and minor < 21:
            continue  # makes them of versions that are no longer served
        assert kubectl("create", *args).endswith(" created\n"), args
        name = next(arg for arg in args[1:] if len(arg) == 1)
        assert kubectl.json(kind, name)["metadata"]["name"] == name
        done = kubectl.run("create", *args, check=False)
        assert "already exists" in done.stderr, done
    for args, kind in ((("clusterrole", f"c{minor}", "--verb=get", "--resource=nodes"), "clusterrole"),
                       (("clusterrolebinding", f"c{minor}", f"--clusterrole=c{minor}", "--user=eve"),
                        "clusterrolebinding"),
                       (("priorityclass", f"c{minor}", "--value=5", "--description=d"), "priorityclass")):
        kubectl("create", *args)
        kubectl("delete", kind, f"c{minor}")


def test_create_of_a_file(kubectl):
    assert kubectl("create", "-f", "-", stdin=json.dumps(config_map(a="1"))) == "configmap/settings created\n"
    done = kubectl.run("create", "-f", "-", stdin=json.dumps(config_map(a="1")), check=False)
    assert 'configmaps "settings" already exists' in done.stderr, done
    said = kubectl("create", "-f", "-", "-o", "name",
                   stdin=json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"generateName": "g-"}}))
    assert re.fullmatch(r"configmap/g-[a-z0-9]{5}\n", said)


def test_dry_run_of_a_server(kubectl):
    assert "dry run" in kubectl("create", "configmap", "c", "--from-literal=a=b", "--dry-run=server")
    assert "configmap/c" not in kubectl("get", "configmaps", "-o", "name").split()


def test_tokens(kubectl, minor, clusters, cluster):
    if minor < 24:
        return  # has no such command
    kubectl("create", "serviceaccount", "robot")
    kubectl("create", "rolebinding", "robot", "--clusterrole=view", f"--serviceaccount={kubectl.namespace}:robot")
    token = kubectl("create", "token", "robot", "--duration=1h").strip()
    config = json.loads(kubectl("config", "view", "--raw", "-o", "json"))
    config["users"][0]["user"] = {"token": token}
    other = type(kubectl)(json.dumps(config), kubectl.program, kubectl.namespace)
    wait_until(lambda: "kube-root-ca.crt" in other("get", "configmaps", "-o", "name"), "its controller has made it")
    done = other.run("get", "secrets", check=False)
    assert f'User "system:serviceaccount:{kubectl.namespace}:robot" cannot list resource "secrets"' in done.stderr


# get


def test_get_in_all_forms(kubectl):
    for n in range(5):
        one = config_map(f"m{n}", n=str(9 - n))
        one["metadata"]["labels"] = {"set": "x", "odd": str(n % 2)}
        kubectl.apply(one)
    names = [f"configmap/m{n}" for n in range(5)]
    assert kubectl("get", "configmaps", "-l", "set=x", "-o", "name").split() == names
    assert kubectl("get", "cm", "-l", "odd in (1),set", "-o", "name").split() == names[1::2]
    assert kubectl("get", "cm", "-l", "odd!=1,set=x", "-o", "name").split() == names[::2]
    assert kubectl("get", "cm", "--field-selector=metadata.name=m3", "-o", "name").split() == names[3:4]
    assert kubectl("get", "cm", "-l", "set=x", "--chunk-size=2", "-o", "name").split() == names
    assert kubectl("get", "cm", "-l", "set=x", "--sort-by=.data.n", "-o", "name").split() == names[::-1]
    head, *rows = lines(kubectl("get", "cm", "-l", "set=x", "--chunk-size=1"))
    assert head == "NAME DATA AGE" and [row.split()[:2] for row in rows] == [[f"m{n}", "1"] for n in range(5)]
    assert lines(kubectl("get", "cm", "m1", "--show-labels"))[1].endswith("odd=1,set=x")
    assert kubectl("get", "cm", "m2", "-o", "jsonpath={.data.n}") == "7"
    assert lines(kubectl("get", "cm", "m2", "-o", "custom-columns=N:.metadata.name,D:.data.n")) == ["N D", "m2 7"]
    assert "kind: ConfigMap" in kubectl("get", "cm", "m2", "-o", "yaml")
    assert kubectl.json("cm")["kind"] == "List"
    wide = lines(kubectl("get", "nodes", "-o", "wide"))
    assert wide[0].startswith("NAME STATUS ROLES AGE VERSION INTERNAL-IP EXTERNAL-IP OS-IMAGE KERNEL-VERSION")
    assert f"{kubectl.namespace} m0 1" in " ".join(lines(kubectl("get", "cm", "-A")))


def test_get_of_what_is_not_there(kubectl):
    assert 'configmaps "no" not found' in kubectl.run("get", "cm", "no", check=False).stderr
    assert kubectl("get", "cm", "no", "--ignore-not-found") == ""
    said = kubectl.run("get", "nosuch", check=False).stderr
    assert 'the server doesn\'t have a resource type "nosuch"' in said
    said = kubectl.run("get", "pods", "--field-selector=nosuch=1", check=False).stderr
    assert "field label not supported: nosuch" in said
    assert "No resources found" in kubectl.run("get", "pods").stderr


def test_get_watches(kubectl):
    process = subprocess.Popen(kubectl.command("get", "cm", "-l", "seen=1", "-w", "-o", "name"), env=kubectl.env(),
                               stdout=subprocess.PIPE, text=True)
    seen = []
    reader = threading.Thread(target=lambda: seen.extend(line for line in process.stdout))
    reader.start()
    one = config_map("w", a="1")
    one["metadata"]["labels"] = {"seen": "1"}
    try:
        kubectl.apply(one)
        wait_until(lambda: len(seen) >= 1, "the new object is seen")
        kubectl("label", "cm", "w", "more=1")
        wait_until(lambda: len(seen) >= 2, "the change is seen")
    finally:
        process.terminate()
        process.wait(HANG_S)
        reader.join(HANG_S)
        process.stdout.close()
    assert seen[:2] == ["configmap/w\n"] * 2


def test_describe(kubectl):
    kubectl.apply(several(deployment(), service(), config_map(a="1"), secret(word="hush")))
    kubectl("wait", "--for=condition=Available", "deployment/web", f"--timeout={HANG_S}s")
    kubectl("rollout", "status", "deployment/web", f"--timeout={HANG_S}s")
    said = kubectl("describe", "deployment", "web")
    assert "ScalingReplicaSet" in said and "1 desired | 1 updated | 1 total | 1 available | 0 unavailable" in said
    said = kubectl("describe", "pods", "-l", "app=web")
    assert "Successfully assigned" in said and "State:          Running" in said
    wait_until(lambda: re.search(r"Endpoints:\s+10\.244\.\d+\.\d+:80", kubectl("describe", "service", "web")), "it has an endpoint")
    assert "4 bytes" in kubectl("describe", "secret", "words")
    assert "a:\n----\n1\n" in kubectl("describe", "configmap", "settings")
    node = kubectl("get", "nodes", "-o", "name").split()[0]
    said = kubectl("describe", node)
    assert "KubeletReady" in said and "Non-terminated Pods" in said
    assert "Active" in kubectl("describe", "namespace", kubectl.namespace)


# change


def test_label_annotate_patch(kubectl):
    kubectl.apply(several(config_map(a="1"), deployment(replicas=0)))
    kubectl("label", "cm", "settings", "x=1", "y=2")
    kubectl("label", "cm", "settings", "x-", "y=3", "--overwrite")
    kubectl("annotate", "cm", "settings", "note=of mine")
    got = kubectl.json("cm", "settings")["metadata"]
    assert got["labels"] == {"y": "3"} and got["annotations"]["note"] == "of mine"
    kubectl("patch", "cm", "settings", "--type=merge", "-p", '{"data":{"a":null,"b":"2"}}')
    kubectl("patch", "cm", "settings", "--type=json", "-p", '[{"op":"add","path":"/data/c","value":"3"}]')
    assert kubectl.json("cm", "settings")["data"] == {"b": "2", "c": "3"}
    kubectl("patch", "deployment", "web", "-p",
            '{"spec":{"template":{"spec":{"containers":[{"name":"side","image":"i"}]}}}}')
    names = {one["name"] for one in kubectl.json("deployment", "web")["spec"]["template"]["spec"]["containers"]}
    assert names == {"main", "side"}
    done = kubectl.run("patch", "cm", "settings", "--type=json", "-p", '[{"op":"test","path":"/data/c","value":"4"}]',
                       check=False)
    assert done.returncode != 0 and re.search("request is invalid|rejected our request", done.stderr), done


def test_set_and_edit(kubectl):
    kubectl.apply(deployment(replicas=0))
    kubectl("set", "image", "deployment/web", "main=other:1")
    kubectl("set", "env", "deployment/web", "A=1")
    kubectl("set", "resources", "deployment/web", "--limits=cpu=200m,memory=64Mi")
    main = kubectl.json("deployment", "web")["spec"]["template"]["spec"]["containers"][0]
    assert main["image"] == "other:1" and main["env"] == [{"name": "A", "value": "1"}]
    assert main["resources"]["limits"] == {"cpu": "200m", "memory": "64Mi"}
    edit = subprocess.run(kubectl.command("edit", "deployment", "web"), capture_output=True, text=True, check=False,
                          env={**kubectl.env(), "KUBE_EDITOR": "sed -i s/other:1/other:2/"}, timeout=HANG_S)
    assert edit.stdout == "deployment.apps/web edited\n", edit
    assert kubectl.json("deployment", "web")["spec"]["template"]["spec"]["containers"][0]["image"] == "other:2"


def test_expose_scale_autoscale(kubectl):
    kubectl.apply(deployment(replicas=1))
    kubectl("expose", "deployment", "web", "--port=80", "--target-port=8080")
    assert kubectl.json("service", "web")["spec"]["ports"][0]["targetPort"] == 8080
    kubectl("scale", "deployment/web", "--replicas=3")
    kubectl("rollout", "status", "deployment/web", f"--timeout={HANG_S}s")
    assert kubectl.json("deployment", "web")["status"]["readyReplicas"] == 3
    done = kubectl.run("scale", "deployment/web", "--replicas=1", "--current-replicas=2", check=False)
    assert "Expected replicas to be 2, was 3" in done.stderr, done
    kubectl("autoscale", "deployment", "web", "--min=2", "--max=5", "--cpu-percent=80")
    got = kubectl.json("hpa", "web")
    assert got["spec"]["maxReplicas"] == 5 and got["spec"]["minReplicas"] == 2
    assert "Deployment/web" in kubectl("get", "hpa", "web")


def test_rollout(kubectl):
    kubectl.apply(deployment(replicas=2))
    kubectl("rollout", "status", "deployment/web", f"--timeout={HANG_S}s")
    kubectl("set", "env", "deployment/web", "A=1")
    assert "successfully rolled out" in kubectl("rollout", "status", "deployment/web", f"--timeout={HANG_S}s")
    revisions = [line.split()[0] for line in lines(kubectl("rollout", "history", "deployment/web"))[2:]]
    assert revisions == ["1", "2"]
    assert "A:\t1" in kubectl("rollout", "history", "deployment/web", "--revision=2")
    kubectl("rollout", "undo", "deployment/web")
    kubectl("rollout", "status", "deployment/web", f"--timeout={HANG_S}s")
    assert "env" not in kubectl.json("deployment", "web")["spec"]["template"]["spec"]["containers"][0]
    kubectl("rollout", "restart", "deployment/web")
    kubectl("rollout", "status", "deployment/web", f"--timeout={HANG_S}s")
    kubectl("rollout", "pause", "deployment/web")
    assert kubectl.json("deployment", "web")["spec"]["paused"] is True
    kubectl("rollout", "resume", "deployment/web")
    sets = kubectl.json("replicasets", "-l", "app=web")["items"]
    assert sorted(one["status"]["replicas"] for one in sets) == [0, 0, 2]


def test_wait(kubectl):
    kubectl.apply(deployment())
    kubectl("wait", "--for=condition=Available", "deployment/web", f"--timeout={HANG_S}s")
    kubectl("wait", "--for=condition=Ready", "pod", "-l", "app=web", f"--timeout={HANG_S}s")
    kubectl("delete", "deployment", "web", "--wait=false")
    done = kubectl.run("wait", "--for=delete", "pod", "-l", "app=web", f"--timeout={HANG_S}s", check=False)
    assert done.returncode == 0 or "no matching resources found" in done.stderr, done  # they are gone already
    assert kubectl("get", "pods", "-o", "name") == ""


def test_run(kubectl):
    said = kubectl("run", "once", "--image=" + IMAGE, "--restart=Never", "--rm", "-i", "--", "sh", "-c", "cat; echo end",
                   stdin="in\n")
    assert "in\n" in said and "end\n" in said
    assert kubectl("get", "pods", "-o", "name") == ""


def test_logs_of_a_deployment(kubectl):
    one = deployment()
    one["spec"]["template"]["spec"]["containers"][0]["command"] = ["/bin/sh", "-c", "echo hello; exec sleep 100000"]
    kubectl.apply(one)
    kubectl("rollout", "status", "deployment/web", f"--timeout={HANG_S}s")
    wait_until(lambda: kubectl("logs", "deployment/web") == "hello\n", "it says hello")
    assert "hello\n" in kubectl("logs", "-l", "app=web", "--tail=1")


def test_debug_is_refused(kubectl):
    kubectl("run", "shell", "--image=" + IMAGE, "--command", "--", *SLEEP)
    kubectl("wait", "--for=condition=Ready", "pod/shell", f"--timeout={HANG_S}s")
    done = kubectl.run("debug", "shell", "--image=" + IMAGE, "-c", "look", "--", "sleep", "100", check=False)
    assert done.returncode != 0, done
    assert "ephemeralContainers" not in kubectl.json("pod", "shell")["spec"]


# delete


def test_delete_by_all_ways(kubectl):
    for way, left in (("background", []), ("foreground", []), ("orphan", ["replicaset.apps"])):
        kubectl.apply(deployment(replicas=0))
        wait_until(lambda: kubectl("get", "replicasets", "-o", "name"), "the replica set is there")
        kubectl("delete", "deployment", "web", f"--cascade={way}")
        if left:
            assert kubectl("get", "replicasets", "-o", "name").startswith("replicaset.apps/web-")
        else:
            wait_until(lambda: not kubectl("get", "replicasets", "-o", "name"), "its sets are gone")
    kubectl.apply(several(*[config_map(f"m{n}") for n in range(3)]))
    kubectl("delete", "cm", "m0", "m1")
    kubectl("delete", "cm", "--all")
    done = kubectl.run("delete", "cm", "m1", check=False)
    assert 'configmaps "m1" not found' in done.stderr, done


def test_delete_of_a_namespace(kubectl):
    name = kubectl.namespace + "-more"
    kubectl("create", "namespace", name)
    kubectl("create", "configmap", "x", "--from-literal=a=1", f"--namespace={name}")
    kubectl("run", "pod", "--image=" + IMAGE, f"--namespace={name}", "--command", "--", *SLEEP)
    kubectl("delete", "namespace", name, "--timeout", f"{HANG_S}s")
    done = kubectl.run("get", "namespace", name, check=False)
    assert f'namespaces "{name}" not found' in done.stderr, done


# nodes


def test_cordon_taint_drain(kubectl):
    node = kubectl("get", "nodes", "-o", "jsonpath={.items[0].metadata.name}")
    kubectl.apply(deployment())
    kubectl("rollout", "status", "deployment/web", f"--timeout={HANG_S}s")
    try:
        kubectl("cordon", node)
        assert "SchedulingDisabled" in kubectl("get", "node", node)
        said = kubectl("drain", node, "--ignore-daemonsets", "--delete-emptydir-data", "--force",
                       f"--pod-selector=app=web", f"--timeout={HANG_S}s")
        assert "evicting pod" in said and f"node/{node} " in said
        wait_until(lambda: "Pending" in kubectl("get", "pods", "-l", "app=web"), "its successor finds no node")
        kubectl("taint", "node", node, f"t{kubectl.namespace}=v:NoSchedule")
        assert any(row["key"] == f"t{kubectl.namespace}" for row in kubectl.json("node", node)["spec"]["taints"])
        kubectl("taint", "node", node, f"t{kubectl.namespace}-")
    finally:
        kubectl("uncordon", node)
    kubectl("rollout", "status", "deployment/web", f"--timeout={HANG_S}s")


# who may what


def test_auth(kubectl, minor):
    assert kubectl("auth", "can-i", "create", "pods") == "yes\n"
    done = kubectl.run("auth", "can-i", "create", "pods", "--as=eve", check=False)
    assert done.stdout == "no\n" and done.returncode == 1
    kubectl("create", "role", "reader", "--verb=get,list", "--resource=pods")
    kubectl("create", "rolebinding", "eve", "--role=reader", "--user=eve")
    assert kubectl("auth", "can-i", "list", "pods", "--as=eve") == "yes\n"
    assert re.search(r"pods\s+\[\]\s+\[\]\s+\[get list\]", kubectl("auth", "can-i", "--list", "--as=eve"))
    assert "No resources found" in kubectl.run("get", "pods", "--as=eve").stderr
    done = kubectl.run("get", "secrets", "--as=eve", check=False)
    assert 'User "eve" cannot list resource "secrets" in API group "" in the namespace' in done.stderr, done
    if minor >= 28:  # 1.27 asks for versions that are no longer served
        assert "system:masters" in kubectl("auth", "whoami")
        assert "eve" in kubectl("auth", "whoami", "--as=eve")


def test_roles_reconcile(kubectl):
    rules = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role",
             "metadata": {"name": "r", "namespace": kubectl.namespace},
             "rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]}
    assert "r reconciled" in kubectl("auth", "reconcile", "-f", "-", stdin=json.dumps(rules)).replace('"', "")


def test_events(kubectl, minor):
    kubectl.apply(deployment())
    kubectl("rollout", "status", "deployment/web", f"--timeout={HANG_S}s")
    wait_until(lambda: {"ScalingReplicaSet", "SuccessfulCreate", "Scheduled", "Created", "Started"} <= set(
        kubectl("get", "events", "-o", "jsonpath={.items[*].reason}").split()), "events tell of all that was done")
    if minor >= 26:
        assert "ScalingReplicaSet" in kubectl("events", "--for=deployment/web")


def test_custom_resources_are_described(kubectl, minor):
    group = f"x{minor}.example.com"
    crd = {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
           "metadata": {"name": f"things.{group}"},
           "spec": {"group": group, "scope": "Namespaced", "names": {"plural": "things", "kind": "Thing"},
                    "versions": [{"name": "v1", "served": True, "storage": True,
                                  "schema": {"openAPIV3Schema": {"type": "object"}}}]}}
    assert "created" in kubectl.apply(crd)
    assert f"things.{group}" in kubectl("get", "crd", "-o", "name")
    kubectl("delete", "crd", f"things.{group}")


def test_top(kubectl):
    one = deployment()
    one["spec"]["template"]["spec"]["containers"][0]["command"] = ["/bin/sh", "-c", "while :; do :; done"]
    kubectl.apply(one)

    def top(*what):  # of what nothing is known yet, it is an error
        return kubectl.run("top", *what, check=False).stdout

    def look():
        seen.extend(int(millis) for millis in re.findall(r"web-\S+ +main +(\d+)m +\d+Mi", top("pods", "--containers")))
        return any(seen)

    seen = []
    wait_until(look, "it is seen at work")
    assert max(seen) < 2500  # it cannot use two processors, from its first moment on; ages are in whole seconds
    node = kubectl("get", "nodes", "-o", "jsonpath={.items[0].metadata.name}")
    wait_until(lambda: re.search(rf"{node} +[1-9]\d*m", top("nodes")), "and on its node")
    kubectl("delete", "deployment", "web")
    done = kubectl.run("get", "--raw", f"/apis/metrics.k8s.io/v1beta1/namespaces/{kubectl.namespace}/pods/nosuch",
                       check=False)
    assert "could not find the requested resource" in done.stderr or "not found" in done.stderr, done
