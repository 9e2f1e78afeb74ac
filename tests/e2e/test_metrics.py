"""Microsoft.Insights/metrics: what real containers use, as az, the SDK, plain requests and the console's page see it."""

import calendar
import re
import secrets
import time

import pytest

from harness import arm as registries
from harness import web
from harness.azure import Az, admin
from harness.clusters import Clusters
from harness.console import Browser
from harness.containers import SHELL, Groups, push_shell, reaches
from harness.keys import psql
from harness.machine import need
from harness.manager import READER, Arm, refused
from harness.server import HANG_S, wait_until

MONITORING_READER = "43d0d8ad-25c7-4714-9337-8ba259a9fe05"
METRICS = ["CpuUsage", "MemoryUsage", "NetworkBytesReceivedPerSecond", "NetworkBytesTransmittedPerSecond"]
MIB = 1 << 20


@pytest.fixture(scope="module")
def groups(sundog):
    need("root", "crun", "mount")
    push_shell(web.by_path(sundog))
    made = Groups(sundog)
    yield made
    made.delete_all()


@pytest.fixture(scope="module")
def working(groups):
    """A group whose containers do something: one computes, one holds memory and is asked over the network."""
    return groups.create(name="working", containers=[
        groups.container("while :; do :; done", name="busy"),
        groups.container("head -c 50000000 /dev/zero > /dev/shm/held; exec httpd -f -p 80 -h /tmp", name="holds",
                         ports=[{"port": 80, "protocol": "TCP"}])],
        ipAddress={"type": "Public", "ports": [{"port": 80, "protocol": "TCP"}]})


def test_pulls_and_pushes_of_a_registry(sundog):
    arm = Arm(sundog)
    owner = registries.Arm(sundog)
    path = owner.registry()
    repository = owner.data_plane(path).repository("app")
    digest, _ = repository.image("1")
    for reference, status in ((digest, 200), ("1", 200), ("1", 200), ("none", 404)):
        web.expect(repository.get(f"/manifests/{reference}"), status)
    web.expect(repository.head("/manifests/1"), 200)
    web.expect(repository.request("PUT", "/manifests/2", b"{}", {"Content-Type": web.OCI_MANIFEST}), 400)
    web.expect(repository.get("/manifests/1", auth=False), 401)

    def totals():
        answer = arm.get(f"{path}/providers/Microsoft.Insights/metrics?interval=PT1H&metricnames=TotalPullCount,"
                         "SuccessfulPullCount,TotalPushCount,SuccessfulPushCount", version="2018-01-01")
        return [sum(point["total"] for point in one["timeseries"][0]["data"]) for one in answer["value"]]

    assert totals() == [4, 3, 2, 1]
    sundog.restart()
    arm.token = arm.sign_in(arm.admin["clientId"], arm.admin["clientSecret"])
    assert totals() == [4, 3, 2, 1], "an orderly end loses nothing"
    assert [d["unit"] for d in arm.get(f"{path}/providers/Microsoft.Insights/metricDefinitions", version="2018-01-01")["value"]] == ["Count"] * 4


def test_figures_stay_where_a_groups_deletion_is_refused(sundog):
    """What is still there has what it had, and goes on being measured; what went has left nothing to its heir."""
    need("root")
    arm, owner, group = Arm(sundog), registries.Arm(sundog), "refusing"
    path = f"{arm.sub}/resourceGroups/{group}"
    web.expect(arm("PUT", path, {"location": "eastus"}), 201)
    made = {}
    for name in ("stays", "went"):
        made[name] = owner.registry(f"{name}{secrets.token_hex(4)}", group=group)
        owner.data_plane(made[name]).repository("app").image("1")
    stays = owner.data_plane(made["stays"]).repository("app")

    def pushes(name):
        answer = arm.get(f"{made[name]}/providers/Microsoft.Insights/metrics?interval=PT1H&metricnames=TotalPushCount", version="2018-01-01")
        return sum(point["total"] for point in answer["value"][0]["timeseries"][0]["data"])

    assert [pushes(name) for name in made] == [1, 1]
    psql(sundog, f"""CREATE TABLE public.holds AS SELECT id FROM registry.registry WHERE name = '{made["stays"].rsplit("/", 1)[1]}';
                     ALTER TABLE public.holds ADD FOREIGN KEY (id) REFERENCES registry.registry""")
    try:
        web.expect(arm("DELETE", path), 202)
        wait_until(lambda: arm.get(path)["properties"]["provisioningState"] == "Succeeded", "its deletion was given up")
    finally:
        psql(sundog, "DROP TABLE public.holds")
    web.expect(arm("GET", made["went"], version="2023-07-01"), 404)
    assert pushes("stays") == 1
    stays.image("2")
    assert pushes("stays") == 2
    owner.registry(made["went"].rsplit("/", 1)[1], group=group)
    assert pushes("went") == 0
    web.expect(arm("DELETE", path), 202)


@pytest.fixture
def metered(sundog):
    need("root", "crun", "mount")
    push_shell(web.by_path(sundog))
    clusters = Clusters(sundog, "metered")
    made = clusters.create("metered", nodes=2)
    yield made, clusters.kubectl(made)
    clusters.remove(made)


def test_nodes_and_pods_of_a_cluster(sundog, metered):
    made, kubectl = metered
    kubectl.apply({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "holds"}, "spec": {
        "terminationGracePeriodSeconds": 1, "containers": [{
            "name": "main", "image": f"sundog.azurecr.io/{SHELL}:1",
            "command": ["/bin/sh", "-c", "head -c 40000000 /dev/zero > /dev/shm/x; while :; do :; done"]}]}})
    wait_until(lambda: kubectl.json("pod", "holds")["status"].get("phase") == "Running", "it runs")
    node, arm = kubectl.json("pod", "holds")["spec"]["nodeName"], Arm(sundog)

    def figures(name, split, figure):
        asked = " and ".join(f"{one} eq '*'" for one in split.split(","))
        answer = arm.get(f"{made['id']}/providers/Microsoft.Insights/metrics?metricnames={name}&$filter={asked}&aggregation={figure}",
                         version="2018-01-01")
        return {tuple(one["value"] for one in series["metadatavalues"]): max(point.get(figure, 0) for point in series["data"])
                for series in answer["value"][0]["timeseries"]}

    def come(what, true):  # a cluster is looked at once a minute, as it is then
        return wait_until(true, what, 3 * HANG_S, 1)

    memory = come("it has filled its memory", lambda: (m := figures("node_memory_working_set_bytes", "node,nodepool", "maximum")) and
                  m.get((node, "nodepool1"), 0) > 35 * MIB and m)
    assert len(memory) == 2 and min(memory.values()) == 0
    for name, split, figure, of, wanted in (
            ("kube_pod_status_phase", "phase,namespace", "maximum", ("Running", "default"), 1),
            ("kube_node_status_condition", "condition,status", "minimum", ("Ready", "true"), 1),
            ("kube_pod_status_ready", "condition", "maximum", ("true",), 1)):
        assert come(name, lambda: figures(name, split, figure).get(of)) == wanted
    come("it has computed", lambda: figures("node_cpu_usage_millicores", "node", "maximum")[(node,)] > 50)


def ask(groups, name, names="", client=None, what="metrics", statuses=(200,), **query):
    asked = "&".join(f"{key}={value}" for key, value in ({"metricnames": names, **query} if names else query).items())
    return (client or groups).get(groups.path(name, f"/providers/Microsoft.Insights/{what}?{asked}"), *statuses,
                                  version="2018-01-01")


def by_container(metric, figure="average"):
    """Values of each container, without gaps."""
    return {series["metadatavalues"][0]["value"]: [point[figure] for point in series["data"] if figure in point]
            for series in metric["timeseries"]}


def each(groups, name, names, client=None, **query):
    query = {"interval": "PT2S", **query}
    return [by_container(one) for one in ask(groups, name, names, client, **{"$filter": "containerName eq '*'", **query})["value"]]


def test_what_containers_do_is_seen_within_seconds(groups, working):
    def seen():
        """The latest figures: to fill its memory the other computed, too."""
        cpu, memory = each(groups, working, "CpuUsage,MemoryUsage")
        if not set(cpu) == set(memory) == {"busy", "holds"}:
            return False
        return (cpu["busy"][-1] > 5 * cpu["holds"][-1] and cpu["busy"][-1] > 100 and
                memory["holds"][-1] > 40 * MIB and max(memory["busy"]) < 30 * MIB)

    wait_until(seen, "a busy loop and memory are seen")
    cpu, memory = each(groups, working, "CpuUsage,MemoryUsage")
    assert max(cpu["busy"]) < 4000 and set(cpu) == set(memory) == {"busy", "holds"}


def test_traffic_of_the_group(groups, working):
    address = groups.address(working)

    def seen():
        reaches(address, 80)
        found = [[point["average"] for point in one["timeseries"][0]["data"] if "average" in point] if one["timeseries"] else []
                 for one in ask(groups, working, ",".join(METRICS[2:]), interval="PT2S")["value"]]
        return all(values and max(values) > 50 for values in found)

    wait_until(seen, "bytes both ways")
    refused(groups("GET", groups.path(working, "/providers/Microsoft.Insights/metrics?metricnames=NetworkBytesReceivedPerSecond&"
                                      "$filter=containerName eq 'busy'")), 400, "BadRequest", "does not support")


def test_the_answer_has_azures_shape(groups, working):
    wait_until(lambda: by_container(ask(groups, working, "memoryusage", **{"$filter": "containerName eq '*'"})["value"][0]), "a minute")
    asked = time.time()
    answer = ask(groups, working, "memoryusage", aggregation="average,count,Maximum", timespan="PT30M")
    assert answer["interval"] == "PT1M" and answer["namespace"] == "Microsoft.ContainerInstance/containerGroups"
    assert answer["resourceregion"] == "eastus" and isinstance(answer["cost"], int)
    begin, end = answer["timespan"].split("/")
    assert re.match(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:00Z$", begin)
    assert calendar.timegm(time.strptime(end, "%Y-%m-%dT%H:%M:%SZ")) > asked, "this second is in it, also if it is a minute's first"
    metric = answer["value"][0]
    assert metric["id"] == groups.path(working) + "/providers/Microsoft.Insights/metrics/MemoryUsage"
    assert metric["name"] == {"value": "MemoryUsage", "localizedValue": "Memory Usage"}
    assert metric["type"] == "Microsoft.Insights/metrics" and metric["unit"] == "Bytes" and metric["errorCode"] == "Success"
    points = metric["timeseries"][0]["data"]
    assert metric["timeseries"][0]["metadatavalues"] == [] and len(points) in (30, 31)
    assert points[0] == {"timeStamp": begin}, "before it was there a minute has its time, and no figure"
    filled = [point for point in points if len(point) > 1]
    assert filled and all(set(point) == {"timeStamp", "average", "count", "maximum"} for point in filled)
    assert all(point["average"] <= point["maximum"] and point["count"] >= 1 for point in filled)
    whole = ask(groups, working, "memoryusage", aggregation="count", timespan="PT30M", interval="PT1H")["value"][0]
    assert len(whole["timeseries"][0]["data"]) == 1
    assert whole["timeseries"][0]["data"][0]["count"] >= sum(point["count"] for point in filled)
    named = ask(groups, working, "CpuUsage", resultType="Metadata", **{"$filter": "containerName eq '*'"})
    assert "interval" not in named and [list(one) for one in named["value"][0]["timeseries"]] == [["metadatavalues"]] * 2
    top = ask(groups, working, "MemoryUsage", top=1, orderby="average desc", **{"$filter": "containerName eq '*'"})
    assert list(by_container(top["value"][0])) == ["holds"]


def test_definitions_and_namespaces(groups, working):
    found = ask(groups, working, what="metricDefinitions")["value"]
    assert [one["name"]["value"] for one in found] == METRICS
    assert [one.get("dimensions") for one in found][1:3] == [[{"value": "containerName", "localizedValue": "containerName"}], None]
    assert found[0]["metricAvailabilities"][0] == {"timeGrain": "PT1M", "retention": "PT24H"}
    assert ask(groups, working, what="metricNamespaces")["value"][0]["properties"]["metricNamespaceName"] == \
        "Microsoft.ContainerInstance/containerGroups"


@pytest.mark.parametrize("query, words", [
    ("metricnames=Nope", "Failed to find metric configuration for provider: Microsoft.ContainerInstance, resource Type: containerGroups, "
                         "metric: Nope, Valid metrics: CpuUsage,MemoryUsage"),
    ("interval=PT3M", "allowed time grains: 00:01:00,00:05:00,00:15:00,00:30:00,01:00:00,06:00:00,12:00:00,1.00:00:00 between metrics: "
                      "CpuUsage, can not support requested time grain: 00:03:00"), ("interval=often", "Invalid time grain duration: often"),
    ("aggregation=median", "Invalid aggregation type"), ("timespan=yesterday", "Invalid timespan"),
    ("timespan=2026-01-02T00:00:00Z/2026-01-01T00:00:00Z", "before its end"),
    ("timespan=P90D&interval=PT1M", "10080 values"), ("top=none", "Invalid top"), ("orderby=size", "Invalid orderby"),
    ("$filter=colour eq 'red'", "does not support requested dimension combination"), ("$filter=containerName like 'x'", "Invalid $filter"),
    ("resultType=Picture", "Invalid resultType"), ("metricnamespace=Microsoft.Nope/x", "Microsoft.Nope/x is not a supported platform"),
])
def test_what_is_wrong_is_said(groups, working, query, words):
    refused(groups("GET", groups.path(working, f"/providers/Microsoft.Insights/metrics?{query}")), 400, "BadRequest", words)


def test_an_answer_has_an_end(groups, working, sundog):
    """Many series of a week's minutes are refused, whatever top says; their names, and fewer of them, are not."""
    key = groups.path(working).lower()
    psql(sundog, f"""
        INSERT INTO core.meter (resource, metric, dimensions)
            SELECT '{key}', name, 'made-' || n FROM unnest(ARRAY['CpuUsage', 'MemoryUsage']) name, generate_series(1, 12) n;
        INSERT INTO core.meter_minute (meter, minute, n, sum, least, most)
            SELECT id, floor(extract(epoch FROM now()) / 60) - 1, 1, 1, 1, 1 FROM core.meter WHERE dimensions LIKE 'made-%'""")
    week = {"timespan": "P7D", "interval": "PT1M", "top": 1000, "$filter": "containerName sw 'made-'"}
    refused(groups("GET", groups.path(working, "/providers/Microsoft.Insights/metrics?metricnames=CpuUsage,MemoryUsage&" +
                                      "&".join(f"{name}={value}" for name, value in week.items()))), 400, "BadRequest", "200000 values")
    named = ask(groups, working, "CpuUsage,MemoryUsage", resultType="Metadata", **week)["value"]
    assert [len(one["timeseries"]) for one in named] == [12, 12]
    once = ask(groups, working, "CpuUsage,cpuusage,CPUUsage", **week)["value"]
    assert [len(one["timeseries"]) for one in once] == [12] and len(once[0]["timeseries"][0]["data"]) >= 10080
    psql(sundog, "DELETE FROM core.meter WHERE dimensions LIKE 'made-%'")


def test_what_has_no_metrics(groups, working):
    refused(groups("GET", f"{groups.sub}/resourceGroups/containers/providers/Microsoft.Insights/metrics"), 400, "BadRequest",
            "is not a supported platform metric namespace, supported ones are", "Microsoft.ContainerInstance/containerGroups")
    refused(groups("GET", groups.path("nosuch", "/providers/Microsoft.Insights/metrics")), 404, "ResourceNotFound")
    adjusted = ask(groups, working, interval="PT3M", AutoAdjustTimegrain="true")
    assert adjusted["interval"] in ("PT1M", "PT5M") and adjusted["value"][0]["name"]["value"] == "CpuUsage"


def test_readers_may_and_strangers_may_not(groups, working, sundog):
    for role, status in ((READER, 200), (MONITORING_READER, 200), (None, 403)):
        client = principal(groups, sundog, role and groups.path(working), role)
        for what in ("metrics", "metricDefinitions", "metricNamespaces"):
            web.expect(client("GET", groups.path(working, f"/providers/Microsoft.Insights/{what}"), version="2018-01-01"), status)


def principal(groups, sundog, scope, role):
    az = Az(sundog)
    az.login()
    made = az.json("ad", "sp", "create-for-rbac", "-n", f"metrics-{role}")
    if role:
        shown = az.json("ad", "sp", "show", "--id", made["appId"])["id"]
        groups.put(f"{scope}/providers/Microsoft.Authorization/roleAssignments/{role[:-4]}{made['appId'][-4:]}?api-version=2022-04-01",
                   {"properties": {"principalId": shown, "roleDefinitionId":
                                   f"{groups.sub}/providers/Microsoft.Authorization/roleDefinitions/{role}"}})
    return Arm(sundog, made["appId"], made["password"])


def test_az(groups, working, sundog):
    need("az")
    az, resource = Az(sundog), groups.path(working)
    az.login()
    said = az.json("monitor", "metrics", "list", "--resource", resource, "--metric", "CPUUsage", "--interval", "PT1M")
    values = [point["average"] for point in said["value"][0]["timeseries"][0]["data"]]
    assert 60 <= len(values) <= 61 and values[0] is None and max(value or 0 for value in values) > 50
    split = az.json("monitor", "metrics", "list", "--resource", resource, "--metric", "MemoryUsage", "CpuUsage", "--dimension",
                    "containerName", "--aggregation", "Maximum", "Average", "--offset", "1d", "--interval", "1h")
    assert split["interval"] == "1:00:00" and [one["name"]["value"] for one in split["value"]] == ["MemoryUsage", "CpuUsage"]
    assert {series["metadatavalues"][0]["value"] for series in split["value"][0]["timeseries"]} == {"busy", "holds"}
    one = az.json("monitor", "metrics", "list", "--resource", resource, "--metric", "MemoryUsage", "--filter",
                  "containerName eq 'holds'", "--offset", "5m", "--aggregation", "Maximum")
    assert max(point["maximum"] or 0 for point in one["value"][0]["timeseries"][0]["data"]) > 40 * MIB
    assert [d["name"]["value"] for d in az.json("monitor", "metrics", "list-definitions", "--resource", resource)] == METRICS
    assert "CpuUsage" in az("monitor", "metrics", "list-definitions", "--resource", resource, "-o", "table").out
    assert az.json("monitor", "metrics", "list-namespaces", "--resource", resource)[0]["classification"] == "Platform"


def test_the_consoles_page_shows_it(groups, working, sundog):
    user = admin(sundog)
    browser = Browser(sundog)
    browser.sign_in(user["userName"], user["userPassword"])

    path = f"/console{groups.path(working)}"

    def shown():
        page = browser.get(path)
        return page if page.body.count("<svg") == 6 and "Received by the group" in page.text else None

    page = wait_until(shown, "charts")
    assert "CPU of busy: at most" in page.text and "nan" not in page.body.split("Limits and use")[1].split("Events")[0].lower()
    assert re.search(r"Memory of holds: at most (4[5-9]|5\d)(\.\d)? MiB of 1\.0 GiB", page.text), page.text
    drawn = set()
    for main, _ in zip(browser.live(path), range(100)):  # what comes may be news of another chart
        drawn.add(re.search(r'CPU of busy.*?class="line" d="([^"]*)"', main, re.S)[1])
        if len(drawn) == 2:
            break
    assert len(drawn) == 2, "the chart moves while one looks"


def minutes(groups, name, of):
    return {point["timeStamp"]: point["average"]
            for series in ask(groups, name, "MemoryUsage", timespan="PT1H", **{"$filter": f"containerName eq '{of}'"})["value"][0]["timeseries"]
            for point in series["data"] if "average" in point}


def test_minutes_survive_a_restart_and_end_with_the_group(groups, sundog):
    name = groups.create("head -c 50000000 /dev/zero > /dev/shm/held; exec sleep 100000", name="lasting")
    wait_until(lambda: any(value > 40 * MIB for value in minutes(groups, name, "main").values()), "a figure")
    before = minutes(groups, name, "main")
    at = max(before)
    sundog.restart()
    groups.token = groups.sign_in(groups.admin["clientId"], groups.admin["clientSecret"])
    after = minutes(groups, name, "main")
    assert set(before) <= set(after) and after[at] > 0
    wait_until(lambda: each(groups, name, "MemoryUsage")[0].get("main"), "sampling goes on")
    groups.delete(name)
    groups.create("exec sleep 100000", name="lasting")
    wait_until(lambda: minutes(groups, "lasting", "main"), "the new one has a figure")
    assert all(value < 40 * MIB for value in minutes(groups, "lasting", "main").values()), "not those of its predecessor"
    groups.delete("lasting")
