"""deploy/monitoring against a running Sundog: what the dashboard and the alerts ask for is there, and Prometheus takes both."""

import calendar
import contextlib
import json
import os
import re
import subprocess
import threading
import time
import urllib.parse
import urllib.request

import pytest
import yaml

from harness import web
from harness.containers import Groups, push_shell
from harness.load import Load
from harness.machine import TOP, need
from harness.manager import Arm
from harness.postgres import Postgres, free_port
from harness.server import HANG_S, Sundog, fresh_folder, wait_until

FOLDER = os.path.join(TOP, "deploy", "monitoring")
OF_PROMETHEUS = {"up"}  # made by the scrape itself …
OF_TARGETS = {"job", "instance"}  # … and labels it adds
WORDS = {"by", "on", "and", "or", "unless", "without", "ignoring", "bool", "offset", "group_left", "group_right", "inf", "nan"}


def read(name):
    with open(os.path.join(FOLDER, name)) as file:
        return file.read()


def dashboard():
    return json.loads(read("sundog-dashboard.json"))


def rules():
    return [rule for group in yaml.safe_load(read("alerts.yaml"))["groups"] for rule in group["rules"]]


def filled(expr):
    """With the variables of the dashboard as Grafana fills them in for "All"."""
    for name, value in {"$__rate_interval": "20s", "$job": ".*", "$instance": ".*", "$service": ".*"}.items():
        expr = expr.replace(name, value)
    assert "$" not in expr, expr
    return expr


def targets():
    return [(panel, target) for panel in dashboard()["panels"] for target in panel.get("targets", [])]


def expressions():
    given = dashboard()
    return [target["expr"] for _, target in targets()] + [rule["expr"] for rule in rules()] + \
        [one["expr"] for one in given["annotations"]["list"] if "expr" in one]


# a small tokenizer of PromQL: names of metrics with what their labels must be, and labels that are grouped by


def asked(expr):
    """([(metric, {label: value or None})], {labels of by and on})."""
    tokens = re.findall(r'"(?:[^"\\]|\\.)*"|[A-Za-z_:][\w:]*|\d[\w.]*|[=!]~|[=!<>]=|\S', filled(expr))
    metrics, grouped, at = [], set(), 0
    while at < len(tokens):
        token, after = tokens[at], tokens[at + 1] if at + 1 < len(tokens) else ""
        at += 1
        if token == "[":
            at = tokens.index("]", at)
        elif token in ("by", "on", "without", "ignoring"):
            end = tokens.index(")", at)
            grouped.update(name for name in tokens[at + 1:end] if name != ",")
            at = end
        elif re.match(r"[A-Za-z_:]", token) and token not in WORDS and after not in ("(", "by", "without"):
            labels = {}
            if after == "{":
                end = tokens.index("}", at)
                for name, relation, value in zip(tokens[at + 1:end:4], tokens[at + 2:end:4], tokens[at + 3:end:4]):
                    labels[name] = json.loads(value) if relation == "=" else None
                at = end
            metrics.append((token, labels))
    return metrics, grouped


def test_the_tokenizer():
    assert asked('sum by (a, le) (rate(x_total{b="}",c=~"$job"}[5m])) > 2e3 and on (d) absent(y) or time() - z') == \
        ([("x_total", {"b": "}", "c": None}), ("y", {}), ("z", {})], {"a", "le", "d"})


def series(server):
    """{metric: [labels]} of /metrics."""
    found = {}
    with urllib.request.urlopen(server.plain + "/metrics", timeout=HANG_S) as answer:
        for line in answer.read().decode().splitlines():
            if not line.startswith("#"):
                name, labels = re.match(r"([\w:]+)(?:\{(.*)\})? \S+$", line).groups()
                found.setdefault(name, []).append({k: json.loads(v) for k, v in re.findall(r'(\w+)=("(?:[^"\\]|\\.)*")', labels or "")})
    return found


def number(server, name):
    with urllib.request.urlopen(server.plain + "/metrics", timeout=HANG_S) as answer:
        return float(re.search(rf"^{name}(?:{{.*}})? (\S+)$", answer.read().decode(), re.M)[1])


@pytest.fixture(scope="module")
def loaded(sundog):
    """Pushes and pulls go on, and the resource manager is asked for something."""
    load, ended = Load(lambda: web.by_path(sundog)).start(), threading.Event()
    Arm(sundog).group("monitored")
    pulled = web.by_path(sundog).repository("pulled")
    pulled.image("1")

    def pull():
        while not ended.wait(0.1):
            web.expect(pulled.get("/manifests/1"), 200)

    puller = threading.Thread(target=pull)
    puller.start()
    wait_until(lambda: load.pushed() > 5, "the load pushes")
    wait_until(lambda: "sundog_store_bytes" in series(sundog), "the store has been measured")
    yield sundog
    ended.set()
    puller.join()
    load.stop()


def test_what_is_asked_for_is_there(loaded):
    found = wait_until(lambda: (s := series(loaded)) and any(l["route"].startswith("/v2/{name+}/manifests") and l["method"] == "GET"
                                                             for l in s["sundog_http_requests_total"]) and s, "a pull")
    for expr in expressions():
        metrics, grouped = asked(expr)
        assert metrics, expr
        known = set(OF_TARGETS)
        for name, labels in metrics:
            if name in OF_PROMETHEUS:
                continue
            assert name in found, f"{name} of {expr}"
            known.update(*found[name])
            wanted = {k: v for k, v in labels.items() if k not in OF_TARGETS}
            assert any(set(wanted) <= set(one) and all(v is None or one[k] == v or (k, v) == ("status", "5xx") for k, v in wanted.items())
                       for one in found[name]), f"no {name} with {wanted}"
        assert grouped <= known, f"{grouped - known} of {expr}"


def test_all_numbers_are_shown(loaded):
    """What /metrics has is on the dashboard: a new family wants a panel."""
    shown = {name for expr in expressions() for name, _ in asked(expr)[0]}
    families = {re.sub(r"_(bucket|sum|count)$", "", name) for name in series(loaded)}
    assert not families - {re.sub(r"_(bucket|sum|count)$", "", name) for name in shown}


# the files by themselves


def test_the_dashboard_is_one():
    given = dashboard()
    assert given["uid"] == "sundog" and given["schemaVersion"] >= 36 and given["title"] and given["id"] is None
    variables = {one["name"]: one for one in given["templating"]["list"]}
    assert variables["datasource"]["type"] == "datasource" and variables["datasource"]["query"] == "prometheus"
    ids = [panel["id"] for panel in given["panels"]]
    assert len(ids) == len(set(ids)) and all(isinstance(one, int) for one in ids)
    taken = {}
    for panel in given["panels"]:
        grid = panel["gridPos"]
        assert grid["w"] > 0 and grid["h"] > 0 and grid["x"] >= 0 and grid["x"] + grid["w"] <= 24, panel["title"]
        for cell in ((x, y) for x in range(grid["x"], grid["x"] + grid["w"]) for y in range(grid["y"], grid["y"] + grid["h"])):
            assert taken.setdefault(cell, panel["title"]) is panel["title"], f"{panel['title']} lies over {taken[cell]}"
        if panel["type"] == "row":
            continue
        assert panel["type"] in ("timeseries", "stat") and panel["title"] and panel["targets"]
        assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])
        for target in panel["targets"]:
            assert target["expr"] and target["datasource"] == panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
            assert set(re.findall(r"\$(\w+)", target["expr"])) <= set(variables) | {"__rate_interval"}
            assert set(re.findall(r"\{\{(\w+)}}", target["legendFormat"])) <= asked(target["expr"])[1] | OF_TARGETS


def promtool(*args):
    need("promtool")
    done = subprocess.run(["promtool", *args], cwd=FOLDER, capture_output=True, text=True, timeout=HANG_S)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_rules_are_good():
    assert f"{len(rules())} rules found" in promtool("check", "rules", "--lint=all", "--lint-fatal", "alerts.yaml")
    for rule in rules():
        assert rule["labels"]["severity"] in ("critical", "warning") and rule["annotations"]["summary"] and rule["annotations"]["description"]


def test_each_alert_fires_and_is_silent():
    cases = {}
    for test in yaml.safe_load(read("alerts_test.yaml"))["tests"]:
        for one in test["alert_rule_test"]:
            cases.setdefault(one["alertname"], set()).add(bool(one["exp_alerts"]))
    assert cases == {rule["alert"]: {True, False} for rule in rules()}
    promtool("test", "rules", "alerts_test.yaml")


# a Prometheus that scrapes


class Prometheus:
    """Debian's, by the example's file, at a free port."""

    def __init__(self, server):
        need("prometheus")
        self.folder = fresh_folder("p")
        given = yaml.safe_load(read("prometheus.yml"))
        given["global"] = {"scrape_interval": "4s", "scrape_timeout": "4s", "evaluation_interval": "1s"}
        given["rule_files"] = [os.path.join(FOLDER, name) for name in given["rule_files"]]
        job, = given["scrape_configs"]
        job["tls_config"]["ca_file"] = server.ca
        job["static_configs"][0]["targets"] = [f"localhost:{server.port('https')}"]
        with open(f"{self.folder}/prometheus.yml", "w") as file:
            yaml.safe_dump(given, file)
        self.port = free_port()
        self.output = open(f"{self.folder}/out", "w+")
        self.process = subprocess.Popen(["prometheus", f"--config.file={self.folder}/prometheus.yml", f"--storage.tsdb.path={self.folder}/data",
                                         f"--web.listen-address=127.0.0.1:{self.port}"], stdout=self.output, stderr=self.output)

    def get(self, path, **query):
        url = f"http://127.0.0.1:{self.port}/api/v1/{path}?{urllib.parse.urlencode(query)}"
        with urllib.request.urlopen(url, timeout=HANG_S) as answer:
            said = json.load(answer)
        assert said["status"] == "success" and not said.get("warnings"), said
        return said["data"]

    def query(self, expr):
        return self.get("query", query=expr)["result"]

    def answers(self):
        assert self.process.poll() is None, open(self.output.name).read()
        with contextlib.suppress(OSError):
            return self.query("rate(sundog_http_requests_total[20s])")

    def close(self):
        self.process.terminate()
        self.process.wait(HANG_S)
        self.output.close()


@pytest.fixture(scope="module")
def prometheus(loaded):
    one = Prometheus(loaded)
    try:
        wait_until(one.answers, "Prometheus has scraped twice")
        yield one
    finally:
        one.close()


def may_be_empty(expr):
    """A list of what goes wrong, or the time of a start that has not been: "… > 0" of nothing."""
    return expr.endswith("> 0)") or expr.endswith("> 0")


def test_prometheus_evaluates_each_panel(prometheus):
    for panel, target in targets():
        expr = filled(target["expr"])
        if may_be_empty(expr):
            prometheus.query(expr)
        else:
            result = wait_until(lambda: prometheus.query(expr), f"{panel['title']} has data: {expr}")
            assert all(len(one["value"]) == 2 for one in result)
    pulls = [target["expr"] for panel, target in targets() if panel["title"] == "Pulls and pushes"]
    for expr in pulls:
        wait_until(lambda: [one for one in prometheus.query(filled(expr)) if float(one["value"][1]) > 0], f"more than none: {expr}")
    assert prometheus.query("sum(sundog_ready)")[0]["value"][1] == "1"


def test_prometheus_fills_the_variables(prometheus):
    for one in dashboard()["templating"]["list"]:
        if one["type"] == "query":
            given = re.match(r"label_values\((.*), (\w+)\)$", one["definition"])
            values = prometheus.get(f"label/{given[2]}/values", **{"match[]": filled(given[1])})
            assert {"job": "sundog", "instance": "localhost", "service": "registry"}[one["name"]] in ",".join(values)


def test_prometheus_takes_the_rules(prometheus):
    def evaluated():
        given = [rule for group in prometheus.get("rules")["groups"] for rule in group["rules"]]
        return len(given) == len(rules()) and all(rule["health"] != "unknown" for rule in given) and given

    for rule in wait_until(evaluated, "each rule has been evaluated"):
        assert rule["health"] == "ok", rule
    firing = {one["labels"]["alertname"] for one in prometheus.get("alerts")["alerts"] if one["state"] == "firing"}
    assert "SundogDown" not in firing and "SundogMissing" not in firing


# the numbers that alerts stand on


def test_the_database_is_gone_and_back():
    postgres = Postgres()
    try:
        with Sundog(["--database", postgres.url]) as server:
            assert (number(server, "sundog_database_up"), number(server, "sundog_ready")) == (1, 1)
            postgres.stop("kill")
            wait_until(lambda: number(server, "sundog_database_up") == 0, "it is seen")
            assert number(server, "sundog_ready") == 0
            postgres.start()
            wait_until(lambda: number(server, "sundog_ready") == 1, "the service has its database again")
    finally:
        postgres.close()


def test_limits_of_the_machine(sundog):
    disk = os.statvfs(sundog.blobs)
    assert abs(number(sundog, "sundog_disk_free_bytes") - disk.f_bavail * disk.f_frsize) < 4 << 30
    assert number(sundog, "sundog_disk_reserve_bytes") == 256 << 20
    assert number(sundog, "process_max_fds") > number(sundog, "process_open_fds") > 0
    need("openssl")
    said = subprocess.run(["openssl", "x509", "-in", sundog.ca, "-noout", "-enddate", "-dateopt", "iso_8601"], capture_output=True, text=True, check=True)
    end = time.strptime(said.stdout.strip(), "notAfter=%Y-%m-%d %H:%M:%SZ")
    assert number(sundog, "sundog_ca_not_after_seconds") == calendar.timegm(end)
    limits = {one["pool"]: one for one in series(sundog)["sundog_queue_limit"]}
    assert set(limits) == {one["pool"] for one in series(sundog)["sundog_queue_depth"]} == {"worker", "io", "slow"}


def test_the_collector_fails():
    """A table it looks for is not there."""
    postgres = Postgres()
    try:
        with Sundog(["--database", postgres.url, "--collect-interval", "1"]) as server:
            wait_until(lambda: number(server, "sundog_gc_rounds_total") > 0, "a round")
            assert number(server, "sundog_gc_failed_rounds_total") == 0
            postgres.query("ALTER TABLE registry.upload RENAME TO hidden")
            wait_until(lambda: number(server, "sundog_gc_failed_rounds_total") > 0, "a round has failed")
            well = number(server, "sundog_gc_last_round_seconds")
            wait_until(lambda: number(server, "sundog_gc_failed_rounds_total") > 3, "more rounds have failed")
            assert number(server, "sundog_gc_last_round_seconds") == well
            postgres.query("ALTER TABLE registry.hidden RENAME TO upload")
            wait_until(lambda: number(server, "sundog_gc_last_round_seconds") > well, "a round has ended well")
    finally:
        postgres.close()


def test_containers_that_do_not_start(sundog):
    need("root", "crun", "mount")
    push_shell(web.by_path(sundog))
    groups = Groups(sundog)
    names = ("sundog_container_start_failures_total", "sundog_container_group_failures_total")
    before = [number(sundog, name) for name in names]
    groups.create(name="nothing", container={"command": ["/no/such/program"]}, wait=False)
    wait_until(lambda: number(sundog, names[0]) == before[0] + 1, "the start has failed")
    assert number(sundog, names[1]) == before[1]
    groups.create("sleep 1", name="noinit", wait=False, initContainers=[
        {"name": "first", "properties": {"image": groups.image, "command": ["/bin/false"]}}])
    groups.wait_provisioned("noinit", "Failed")
    assert [number(sundog, name) for name in names] == [before[0] + 1, before[1] + 1]
    groups.delete_all()
