"""Container groups on a host of the test's own, a network namespace: behind a packet filter that drops what it does not
know, as dockerd leaves it; with routes that a range could overlap; reaching another host through it."""

import os
import subprocess
import sys

import pytest

from harness.machine import TOP, need

INSIDE = """
import contextlib, functools, http.server, json, os, subprocess, sys, threading
from harness import web
from harness.containers import Groups, fetch, push_shell, wait_nothing_left
from harness.leftovers import data_id
from harness.server import Sundog

def sh(command):
    return subprocess.run(command, shell=True, check=True, capture_output=True, text=True).stdout

def public(port):
    return {"type": "Public", "ports": [{"port": port}]}

# another host behind a link, with a web server that tells who asked
sh("ip link set lo up")
other = subprocess.Popen(["unshare", "-n", "sh", "-c", "ip link set lo up; echo; exec sleep 1000"], stdout=subprocess.PIPE)
other.stdout.readline()
sh(f"ip link add up0 type veth peer name down0 netns {other.pid}")
sh("ip addr add 198.51.100.1/24 dev up0; ip link set up0 up")
sh(f"nsenter -n -t {other.pid} sh -c 'ip addr add 198.51.100.2/24 dev down0; ip link set down0 up'")
asked = subprocess.Popen(["nsenter", "-n", "-t", str(other.pid), sys.executable, "-u", "-m", "http.server", "8000",
                          "--bind", "198.51.100.2", "--directory", "deploy"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
assert asked.stdout.readline().startswith("Serving HTTP")
sh("iptables -P FORWARD DROP")
try:
    {body}
finally:
    asked.kill()
    other.kill()
print("DONE")
"""


def on_a_host_of_its_own(body):
    need("root", "crun", "mount", "iptables", "unshare", "ip")
    text = INSIDE.replace("{body}", body.strip().replace("\n", "\n    "))
    done = subprocess.run(["unshare", "-n", sys.executable, "-c", text], cwd=TOP, capture_output=True, text=True, check=False,
                          timeout=600, env={**os.environ, "PYTHONPATH": os.path.join(TOP, "tests")})
    assert done.returncode == 0 and done.stdout.endswith("DONE\n"), done.stdout + done.stderr


def test_beside_a_filter_that_drops():
    on_a_host_of_its_own("""
with Sundog() as server:
    push_shell(web.by_path(server))
    groups = Groups(server)
    name = groups.create("echo here > /tmp/index.html; exec httpd -f -p 80 -h /tmp", ipAddress=public(80),
                         container={"ports": [{"port": 80}]})
    address = groups.address(name)
    assert fetch(address).strip() == "here"
    said = groups.run(f"wget -q -O - http://{address}/index.html")
    assert said == (0, "here\\n"), (said, sh("iptables -S; iptables -nvL FORWARD; nft list ruleset; ip addr"))
    code, said = groups.run("wget -q -O - http://198.51.100.2:8000/packages")
    assert (code, said) == (0, open("deploy/packages").read()), said
    line = asked.stderr.readline()
    assert line.startswith("198.51.100.1 "), line  # as this host, not by an address nobody routes
    bridge = f"sd{data_id(server.data)}"
    rules = sh("iptables -S FORWARD") + sh("nft list ruleset")
    assert rules.count(bridge) > 5, rules
    # of its own: not that of a port, which would change as ports come and go
    gateway = sh(f"ip -4 -o addr show {bridge} scope global").split(" inet ")[1].split("/")[0]
    assert "link/ether 0a:58:" + ":".join(f"{int(part):02x}" for part in gateway.split(".")) in sh(f"ip link show {bridge}")
    groups.delete(name)
    wait_nothing_left(server.data)
    server.stop()
    left = sh("ip link") + sh("nft list ruleset") + sh("iptables -S FORWARD")
    assert bridge not in left, left
    server.start()
""")


@pytest.mark.parametrize("ranges, word", [(("198.51.100.128/25", "10.99.0.0/17"), "--public-range"),
                                          (("10.99.0.0/17", "198.51.0.0/16"), "--private-range")])
def test_a_range_that_overlaps_is_named(ranges, word):
    on_a_host_of_its_own(f"""
with Sundog(["--public-range", "{ranges[0]}", "--private-range", "{ranges[1]}"]) as server:
    push_shell(web.by_path(server))
    groups = Groups(server)
    answer = groups("PUT", groups.path("g1"), groups.body([groups.container("true")]))
    error = answer.json()["error"]["message"]
    assert answer.status >= 400 and "{word}" in error and "198.51.100.0/24" in error and "up0" in error, answer
    assert groups.get(groups.folder)["value"] == []
""")


def test_two_on_one_host_and_ranges_of_ones_own():
    on_a_host_of_its_own("""
ranges = ["--public-range", "10.99.0.0/24", "--private-range", "10.99.1.0/24"]
with Sundog(ranges) as first, Sundog() as second, Sundog() as third:
    found = []
    for server in (first, second, third):
        push_shell(web.by_path(server))
        groups = Groups(server)
        name = groups.create("echo $HOSTNAME > /tmp/index.html; exec httpd -f -p 80 -h /tmp", ipAddress=public(80),
                             container={"ports": [{"port": 80}]})
        found.append((groups, name, groups.address(name)))
    assert found[0][2].startswith("10.99.0.")
    assert len({address.rsplit(".", 2)[0] for _, _, address in found}) == 3, found
    for groups, name, address in found:
        fetch(address)
        groups.delete(name)
""")


def test_names_in_etc_hosts():
    on_a_host_of_its_own("""
with Sundog(["--host-names", "true"]) as server:
    push_shell(web.by_path(server))
    groups = Groups(server)
    before = open("/etc/hosts").read()
    name = groups.create("sleep 1000", ipAddress={**public(80), "dnsNameLabel": "in-the-hosts-file"},
                         container={"ports": [{"port": 80}]})
    line = f"{groups.address(name)} in-the-hosts-file.eastus.azurecontainer.localhost"
    assert line in open("/etc/hosts").read().splitlines()
    groups.delete(name)
    wait_nothing_left(server.data)
    assert open("/etc/hosts").read() == before
""")
