"""Container groups as real containers, through the resource manager's plain HTTP: what runs, how it ends, what it says,
what it may reach. Nothing of it is simulated."""

import json
import os
import re
import secrets
import threading

import pytest

from harness import web
from harness.containers import (Groups, base64_of, fetch, push_image, push_shell, reaches, shell_files,
                                wait_nothing_left)
from harness.images import tar_of
from harness.machine import need
from harness.manager import refused
from harness.server import wait_until

ISO = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$")


@pytest.fixture(scope="module")
def groups(sundog):
    need("root", "crun", "mount")
    push_shell(web.by_path(sundog))
    made = Groups(sundog)
    yield made
    made.delete_all()


def public(*ports, **more):
    return {"type": "Public", "ports": [{"port": port, "protocol": "TCP"} for port in ports], **more}


WEB = "echo {0} > /tmp/index.html; exec httpd -f -p {1} -h /tmp"


# running and ending


def test_a_group_from_put_to_delete(groups):
    name = groups.create("echo hello; echo oops >&2; exit 3")
    answer = groups.answer
    assert answer.status == 201
    made = answer.json()
    assert made["name"] == name and made["type"] == "Microsoft.ContainerInstance/containerGroups"
    ended = groups.ended(name)
    assert ended["exitCode"] == 3 and ended["detailStatus"] == "Error"
    assert ISO.match(ended["startTime"]) and ISO.match(ended["finishTime"])
    assert groups.wait_state(name, "Failed")
    assert sorted(groups.logs(name).splitlines()) == ["hello", "oops"]
    assert {"Pulled", "Created", "Started"} <= set(groups.events(name))
    assert groups.view(name)["restartCount"] == 0
    listed = groups.get(groups.folder)["value"]
    assert name in [one["name"] for one in listed]
    assert "instanceView" not in listed[0]["properties"]
    deleted = groups("DELETE", groups.path(name))
    web.expect(deleted, 200, 202)
    wait_until(lambda: groups("GET", groups.path(name)).status == 404, "it is gone")
    web.expect(groups("DELETE", groups.path(name)), 204)


def test_success(groups):
    name = groups.create("exit 0")
    assert groups.wait_state(name, "Succeeded")
    assert groups.ended(name)["detailStatus"] == "Completed"


def test_the_images_own_command_environment_and_user(groups, sundog):
    push_shell(web.by_path(sundog), "configured", Entrypoint=["/bin/sh", "-c"], User="app:www", WorkingDir="/made/here",
               Cmd=["echo $COLOUR $(id -u):$(id -g) $(id -G) $PWD $HOME"], Env=["PATH=/bin", "COLOUR=blue"])
    image = "sundog.azurecr.io/configured:1"
    assert groups.run(None, container={"image": image}) == (0, "blue 1000:33 33 /made/here /home/app\n")
    said = groups.run(None, container={"image": image, "command": ["/bin/echo", "$COLOUR"]})
    assert said == (0, "$COLOUR\n")


def test_a_command_that_is_not_there(groups):
    name = groups.create(container={"command": ["/no/such/program"]}, wait=False)
    groups.wait_state(name, "Failed")
    properties = groups.show(name)
    assert "/no/such/program" in json.dumps(properties), properties
    groups.delete(name)


def test_killed_for_memory(groups):
    name = groups.create("tail -c 200000000 /dev/zero | cat > /dev/null", container={
        "resources": {"requests": {"cpu": 0.5, "memoryInGB": 0.1}, "limits": {"cpu": 1, "memoryInGB": 0.1}}})
    groups.ended(name)
    # a child was killed, and the pipe's status is cat's; init itself, too, is told apart
    other = groups.create("exec tail -c 200000000 /dev/zero", container={
        "resources": {"requests": {"cpu": 0.5, "memoryInGB": 0.1}}})
    ended = groups.ended(other)
    assert ended["exitCode"] == 137 and ended["detailStatus"] == "OOMKilled"


def test_a_fork_bomb_meets_its_limit(groups):
    code, said = groups.run("i=0; while [ $i -lt 9000 ]; do sleep 60 & i=$((i+1)); done 2>&1; echo survived")
    assert "can't fork" in said
    assert code != 0 or "survived" in said


def test_signals_and_grace(groups):
    name = groups.create("trap 'echo bye; exit 7' TERM; echo up; while :; do sleep 0.1; done")
    groups.wait_logs(name, "up")
    web.expect(groups("POST", groups.path(name, "/stop")), 204)
    assert groups.wait_state(name, "Stopped")
    assert "bye" in groups.logs(name)
    web.expect(groups("POST", groups.path(name, "/start")), 202, 204)
    groups.wait_state(name, "Running")
    groups.wait_logs(name, "up")
    web.expect(groups("POST", groups.path(name, "/restart")), 204)
    groups.wait_state(name, "Running")
    assert "Killing" in groups.events(name)
    groups.delete(name)


@pytest.mark.parametrize("policy, script, again", [
    ("Always", "exit 0", True), ("OnFailure", "exit 1", True), ("OnFailure", "exit 0", False), ("Never", "exit 1", False)])
def test_restart_policies(groups, policy, script, again):
    name = groups.create(f"echo run; {script}", restartPolicy=policy)
    if again:
        wait_until(lambda: groups.view(name).get("restartCount", 0) >= 1, "it is started again")
        view = groups.view(name)
        assert view["previousState"]["state"] == "Terminated"
        wait_until(lambda: "BackOff" in groups.events(name), "it backs off")
        wait_until(lambda: groups.view(name)["currentState"].get("detailStatus", "").startswith("CrashLoopBackOff"), "it waits")
        assert groups.state(name) in ("Running", "Waiting", "Pending")
    else:
        groups.wait_state(name, "Succeeded" if script == "exit 0" else "Failed")
        assert groups.view(name)["restartCount"] == 0
    groups.delete(name)


def test_init_containers_run_in_order(groups):
    mounts = [{"name": "shared", "mountPath": "/shared"}]
    init = [{"name": name, "properties": {"image": groups.image, "volumeMounts": mounts, "command": [
        "/bin/sh", "-c", f"echo {name} >> /shared/order; echo said {name}"]}} for name in ("first", "second")]
    name = groups.create("cat /shared/order", container={"volumeMounts": mounts}, initContainers=init,
                         volumes=[{"name": "shared", "emptyDir": {}}])
    groups.ended(name)
    assert groups.logs(name) == "first\nsecond\n"
    assert groups.logs(name, "second") == "said second\n"
    assert groups.view(name, 1, "initContainers")["currentState"]["exitCode"] == 0
    groups.delete(name)
    init[0]["properties"]["command"] = ["/bin/sh", "-c", "exit 4"]
    name = groups.create("echo never", initContainers=init, volumes=[{"name": "shared", "emptyDir": {}}], wait=False)
    groups.wait_state(name, "Failed")
    assert groups.view(name, 0, "initContainers")["currentState"]["exitCode"] == 4
    assert groups.logs(name) == ""
    groups.delete(name)


def test_containers_of_a_group_share_network_and_volumes(groups):
    mounts = [{"name": "shared", "mountPath": "/shared"}]
    name = groups.create(containers=[
        groups.container("echo from-b > /shared/index.html; exec httpd -f -p 8000 -h /shared", "b", volumeMounts=mounts),
        groups.container("until wget -q -O - http://127.0.0.1:8000/index.html; do sleep 0.1; done; hostname", "a",
                         volumeMounts=mounts)], volumes=[{"name": "shared", "emptyDir": {}}])
    groups.wait_logs(name, "from-b", "a")
    assert groups.view(name, 0)["currentState"]["state"] == "Running"
    groups.delete(name)


# logs


def test_logs(groups):
    name = groups.create("for i in $(seq 1 20); do echo line $i; done; printf 'no end'; printf '\\377\\n'")
    groups.ended(name)
    assert groups.logs(name).splitlines()[:2] == ["line 1", "line 2"]
    assert groups.logs(name, tail=2) == "line 20\nno end�\n"
    assert groups.logs(name, tail=0) == ""
    stamped = groups.logs(name, tail=1, timestamps="true")
    assert re.match(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z no end", stamped), stamped
    refused(groups("GET", groups.path(name, "/containers/main/logs?tail=-1")), 400, "InvalidParameter")
    answer = groups("GET", groups.path(name, "/containers/nobody/logs"))
    assert answer.status in (400, 404), answer
    groups.delete(name)


def test_a_flood_of_logs_is_bounded(groups, sundog):
    name = groups.create("yes 'a line of a flood that goes on and on' | head -c 30000000; echo the end")
    groups.ended(name)
    said = groups.logs(name)
    assert said.endswith("the end\n") and len(said) <= 4 << 20
    held = sum(os.path.getsize(os.path.join(at, file)) for at, _, files in os.walk(f"{sundog.data}/sandboxes")
               for file in files if ".log" in file)
    assert held < 16 << 20
    groups.delete(name)


# exec and attach


def test_exec_with_a_terminal(groups):
    name = groups.create("sleep 1000", container={"environmentVariables": [{"name": "COLOUR", "value": "green"}]})
    terminal = groups.exec(name, "/bin/sh", rows=33, cols=101)
    terminal.send("stty size; echo $COLOUR-$((40+2)); tty\n")
    said = terminal.until("green-42")
    assert "33 101" in said
    terminal.send("exit\n")
    _, code = terminal.rest()
    assert code == 1000
    one = groups.exec(name, "/bin/echo just this")
    said, code = one.rest()
    assert said.strip() == "just this" and code == 1000
    groups.delete(name)


def test_exec_needs_its_password_once(groups, sundog):
    import websocket
    from harness.containers import Terminal

    name = groups.create("sleep 1000")
    answer = web.expect(groups("POST", groups.path(name, "/containers/main/exec"), {
        "command": "/bin/sh", "terminalSize": {"rows": 24, "cols": 80}}), 200).json()
    wrong = Terminal(sundog, answer["webSocketUri"], "wrong")
    said, code = wrong.rest()
    assert said == "" and code != 1000
    with pytest.raises(websocket.WebSocketException):
        Terminal(sundog, answer["webSocketUri"], answer["password"]).rest()
    with pytest.raises(websocket.WebSocketException):
        Terminal(sundog, re.sub(r"/exec/[^?]+", "/exec/" + "0" * 32, answer["webSocketUri"]), "x").rest()
    answer = groups("POST", groups.path(name, "/containers/main/exec"), {
        "command": "/no/such", "terminalSize": {"rows": 24, "cols": 80}})
    if answer.status == 200:
        said, _ = Terminal(sundog, answer.json()["webSocketUri"], answer.json()["password"]).rest()
        assert "no such file" in said.lower() or "not found" in said.lower(), said
    else:
        assert answer.status in (400, 409), answer
    groups.delete(name)


def test_much_output_through_a_slow_terminal(groups):
    """What a client reads late is neither lost nor held in memory."""
    name = groups.create("sleep 1000")
    terminal = groups.exec(name, "/bin/sh -c 'stty raw; seq 1 400000'")
    said, code = terminal.rest()
    assert code == 1000
    numbers = said.split()
    assert numbers[-1] == "400000" and len(numbers) == 400000
    groups.delete(name)


def test_attach(groups, sundog):
    from harness.containers import Terminal

    name = groups.create("i=0; while :; do echo tick $i; i=$((i+1)); sleep 0.2; done")
    groups.wait_logs(name, "tick 1")
    answer = web.expect(groups("POST", groups.path(name, "/containers/main/attach")), 200).json()
    terminal = Terminal(sundog, answer["webSocketUri"], answer["password"])
    later = int(re.findall(r"tick (\d+)", groups.logs(name))[-1]) + 2
    terminal.until(f"tick {later}")
    groups.delete(name)
    terminal.rest()


# network


def test_a_public_group_is_reached_at_its_own_address(groups):
    names = [groups.create(WEB.format(f"group-{i}", 80), ipAddress=public(80), wait=False,
                           container={"ports": [{"port": 80}]}) for i in range(20)]
    for name in names:
        groups.wait_state(name, "Running")
    addresses = [groups.address(name) for name in names]
    assert len(set(addresses)) == 20
    for i, address in enumerate(addresses):
        assert fetch(address).strip() == f"group-{i}"
    assert not reaches(addresses[0], 81)
    for name in names:
        groups.delete(name)


def test_only_declared_ports_are_open(groups):
    name = groups.create("echo in > /tmp/index.html; httpd -p 8080 -h /tmp; exec httpd -f -p 9090 -h /tmp",
                         ipAddress=public(8080), container={"ports": [{"port": 8080}]})
    address = groups.address(name)
    assert fetch(address, 8080).strip() == "in"
    inside = groups.exec(name, "/bin/wget -q -O - http://127.0.0.1:9090/index.html").rest()[0]
    assert "in" in inside
    assert not reaches(address, 9090)
    code, said = groups.run(f"wget -q -O - http://{address}:8080/index.html; nc -w 2 {address} 9090 < /dev/null && echo open; echo end")
    assert said.split() == ["in", "end"] or said.split()[-1] == "end" and "open" not in said, said
    groups.delete(name)


def test_names(groups):
    label = "label" + secrets.token_hex(4)
    name = groups.create(WEB.format("named", 80), ipAddress=public(80, dnsNameLabel=label),
                         container={"ports": [{"port": 80}]})
    fqdn = groups.show(name)["ipAddress"]["fqdn"]
    assert fqdn == f"{label}.eastus.azurecontainer.localhost"
    fetch(groups.address(name))
    for host in (fqdn, f"{label}.eastus.azurecontainer.io"):
        assert groups.run(f"wget -q -O - http://{host}/index.html") == (0, "named\n")
    code, said = groups.run(f"nslookup nobody{label}.eastus.azurecontainer.io; cat /etc/resolv.conf /etc/hosts")
    assert code == 0 and "nameserver" in said and "127.0.0.1" in said
    other = groups("PUT", groups.path("other" + label), groups.body([groups.container(
        "sleep 1", ports=[{"port": 80}])], ipAddress=public(80, dnsNameLabel=label)))
    assert other.status in (400, 409) and label in other.json()["error"]["message"], other
    groups.delete(name)


def test_dns_config_of_ones_own(groups):
    said = groups.run("cat /etc/resolv.conf", dnsConfig={"nameServers": ["192.0.2.53"], "searchDomains": "a.example b.example",
                                                          "options": "ndots:2"})[1]
    assert "nameserver 192.0.2.53" in said and "search a.example b.example" in said and "options ndots:2" in said


def test_udp(groups, sundog):
    """An image of one static program that answers datagrams."""
    import socket
    import subprocess

    from harness.server import fresh_folder

    need("gcc")
    folder = fresh_folder("u")
    with open(f"{folder}/echo.c", "w") as file:
        file.write("""#include <arpa/inet.h>
int main(void) {
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(5353)}, from;
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    char text[100];
    bind(fd, (void *)&a, sizeof a);
    for (;;) {
        socklen_t len = sizeof from;
        long n = recvfrom(fd, text, sizeof text, 0, (void *)&from, &len);
        sendto(fd, text, n, 0, (void *)&from, len);
    }
}
""")
    subprocess.run(["gcc", "-static", "-O", "-o", f"{folder}/echo", f"{folder}/echo.c"], check=True)
    with open(f"{folder}/echo", "rb") as file:
        push_image(web.by_path(sundog), "udp", "1", [tar_of({"echo": file.read()})], {"Cmd": ["/echo"]})
    ports = [{"port": 5353, "protocol": "UDP"}]
    name = groups.create(ipAddress={"type": "Public", "ports": ports},
                         container={"image": "sundog.azurecr.io/udp:1", "ports": ports})
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.settimeout(1)

        def answered():
            sender.sendto(b"by udp", (groups.address(name), 5353))
            try:
                return sender.recv(100) == b"by udp"
            except OSError:
                return False

        wait_until(answered, "a datagram comes back")
    groups.delete(name)


def test_groups_cannot_reach_each_other(groups, sundog):
    """Neither files, processes, secrets nor the host's own services."""
    victim = groups.create("echo private > /tmp/mine; sleep 1000", container={
        "volumeMounts": [{"name": "keys", "mountPath": "/keys"}], "environmentVariables": [
            {"name": "TOKEN", "secureValue": "very-secret-value"}]},
        volumes=[{"name": "keys", "secret": {"key": base64_of("the key of the victim")}}])
    port = sundog.port()
    script = ("ls /proc | grep -c '^[0-9]'; grep -rl very-secret /proc/*/environ 2>/dev/null; "
              "find / -xdev -name mine 2>/dev/null; mount | grep -c keys; "
              "(mount -t tmpfs none /tmp || unshare -m true) 2>/dev/null && echo powerful; "
              "mknod /tmp/disk b 8 0 2>/dev/null && cat /tmp/disk >/dev/null 2>&1 && echo device; "
              "cat /proc/kcore 2>/dev/null | head -c 1 | wc -c; echo x > /proc/sys/kernel/hostname 2>/dev/null && echo sysctl; "
              f"for host in $(ip route | grep default | cut -d' ' -f3); do nc -w 2 $host {port} < /dev/null && echo host; "
              "nc -w 2 $host 22 < /dev/null && echo host; done; echo done")
    code, said = groups.run(script)
    lines = said.split()
    assert code == 0 and lines[-1] == "done", said
    assert int(lines[0]) < 10 and "/tmp/mine" not in said, said
    for word in ("powerful", "device", "sysctl", "host"):
        assert word not in lines, said
    groups.delete(victim)


@pytest.mark.parametrize("context, what", [
    ({"privileged": True}, "privileged"), ({"capabilities": {"add": ["SYS_ADMIN"]}}, "SYS_ADMIN"),
    ({"capabilities": {"add": ["CAP_NET_RAW"]}}, "CAP_NET_RAW"), ({"seccompProfile": base64_of("{}")}, "seccomp")])
def test_who_makes_groups_is_not_root_here(groups, context, what):
    answer = groups("PUT", groups.path("power"), groups.body([groups.container("true", securityContext=context)]))
    error = refused(answer, 403, "PrivilegedContainersNotAllowed", what, "--privileged-containers")
    assert error["target"].startswith("properties.containers[0].properties.securityContext."), error
    code, said = groups.run("grep Cap /proc/self/status; id -u", container={"securityContext": {
        "capabilities": {"drop": ["ALL"], "add": ["CHOWN"]}, "runAsUser": 1000, "allowPrivilegeEscalation": False}})
    assert (code, said.split()[-1]) == (0, "1000") and "CapBnd:\t0000000000000001" in said, said


# environment, secrets, volumes


def test_secrets_are_never_shown_again(groups, sundog):
    name = groups.create("echo $PLAIN $HIDDEN; cat /keys/a/../one; ls /keys; touch /keys/x || echo read-only", container={
        "environmentVariables": [{"name": "PLAIN", "value": "p"}, {"name": "HIDDEN", "secureValue": "hush-hush-1"}],
        "volumeMounts": [{"name": "keys", "mountPath": "/keys"}]},
        volumes=[{"name": "keys", "secret": {"one": base64_of("hush-hush-2"), "two": base64_of("x")}}],
        imageRegistryCredentials=[{"server": "other.example", "username": "u", "password": "hush-hush-3"}])
    groups.ended(name)
    said = groups.logs(name)
    assert "p hush-hush-1" in said and "one\ntwo" in said and "read-only" in said
    shown = json.dumps(groups.get(groups.path(name)))
    assert "hush-hush" not in shown and base64_of("hush-hush-2") not in shown
    assert {"name": "HIDDEN"} in groups.show(name)["containers"][0]["properties"]["environmentVariables"]
    groups.delete(name)
    assert "hush-hush" not in sundog.said()


def test_a_share_outlives_its_groups(groups, sundog):
    def volume(key):
        return {"volumes": [{"name": "files", "azureFile": {"shareName": "reports", "storageAccountName": "acmestore",
                                                            "storageAccountKey": key}}],
                "container": {"volumeMounts": [{"name": "files", "mountPath": "/files"}]}}

    assert groups.run("echo kept > /files/a", **volume("a2V5"))[0] == 0
    assert groups.run("cat /files/a", **volume("a2V5")) == (0, "kept\n")
    assert any("a" in files for _, _, files in os.walk(f"{sundog.data}/shares"))
    name = groups.create("cat /files/a", **volume("b3RoZXI="), wait=False)
    groups.wait_state(name, "Failed")
    assert "FailedMount" in json.dumps(groups.show(name))
    groups.delete(name)


def test_a_git_repository(groups, sundog):
    import functools
    import http.server
    import subprocess

    from harness.server import fresh_folder

    need("git")
    folder = fresh_folder("r")
    for command in (["init", "-q", "-b", "main", "work"], ["-C", "work", "-c", "user.name=a", "-c", "user.email=a@b.c",
                    "commit", "-q", "--allow-empty", "-m", "one"], ["clone", "-q", "--bare", "work", "repo.git"],
                    ["-C", "repo.git", "update-server-info"]):
        if "commit" in command:
            with open(f"{folder}/work/page", "w") as file:
                file.write("from git\n")
            subprocess.run(["git", "-C", f"{folder}/work", "add", "page"], check=True)
        subprocess.run(["git", *command], cwd=folder, check=True)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(
        http.server.SimpleHTTPRequestHandler, directory=folder))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_address[1]}/repo.git"
    mounts = {"volumeMounts": [{"name": "source", "mountPath": "/source"}]}
    assert groups.run("cat /source/page", container=mounts, volumes=[
        {"name": "source", "gitRepo": {"repository": url, "directory": "."}}]) == (0, "from git\n")
    assert groups.run("cat /source/repo/page", container=mounts, volumes=[
        {"name": "source", "gitRepo": {"repository": url}}]) == (0, "from git\n")
    name = groups.create("true", container=mounts, wait=False, volumes=[
        {"name": "source", "gitRepo": {"repository": url.replace("//", "//me:hush-hush-4@") + "x", "directory": "."}}])
    wait_until(lambda: "FailedMount" in json.dumps(groups.show(name)), "the failure is told")
    told = json.dumps([groups.view(name), groups.show(name)["instanceView"]])
    assert url + "x" in told and "hush-hush" not in told, told
    groups.delete(name)
    server.shutdown()


# images


def test_images_that_cannot_be_had(groups, sundog):
    def put(image, **properties):
        return groups("PUT", groups.path("g" + secrets.token_hex(4)), groups.body(
            [groups.container("true", image=image)], **properties))

    refused(put("sundog.azurecr.io/nothing:1"), 400, "InaccessibleImage", "sundog.azurecr.io/nothing:1")
    refused(put("sundog.azurecr.io/busybox:none"), 400, "InaccessibleImage")
    refused(put("sundog.azurecr.io/busybox:1", imageRegistryCredentials=[
        {"server": "sundog.azurecr.io", "username": "sundog", "password": "wrong"}]), 400, "InaccessibleImage")
    web.expect(put("Not An Image"), 400)


def test_every_name_of_an_image(groups, sundog):
    digest = web.by_path(sundog).repository("busybox").manifest("1")["Docker-Content-Digest"]
    for image in (f"localhost:{sundog.port()}/sundog/busybox:1", f"sundog.azurecr.localhost:{sundog.port('https')}/busybox:1",
                  f"sundog.azurecr.io/busybox@{digest}", f"sundog.azurecr.io/busybox:1@{digest}"):
        assert groups.run("echo yes", container={"image": image}) == (0, "yes\n"), image


def test_the_wrong_platform(groups, sundog):
    files, links = shell_files()
    push_image(web.by_path(sundog), "arm", "1", [tar_of(files, links)], {"Cmd": ["/bin/sh"]}, architecture="arm64")
    answer = groups("PUT", groups.path("g" + secrets.token_hex(4)), groups.body([groups.container(
        "true", image="sundog.azurecr.io/arm:1")]))
    if answer.status in (200, 201):
        name = answer.json()["name"]
        groups.wait_provisioned(name, "Failed")
        assert "linux/amd64" in json.dumps(groups.show(name))
        groups.delete(name)
    else:
        assert "linux/amd64" in answer.json()["error"]["message"]


def test_layers_hide_and_keep(groups, sundog):
    files, links = shell_files()
    lower = tar_of({**files, "d/one": b"1", "d/two": b"2", "e/old": b"o", "f": b"f"}, links, folders=("tmp",))
    upper = tar_of({"d/.wh.one": b"", "e/.wh..wh..opq": b"", "e/new": b"n"})
    push_image(web.by_path(sundog), "layers", "1", [lower, upper], {"Env": ["PATH=/bin"]})
    said = groups.run("ls d e; cat f; echo; rm f && ls f", container={"image": "sundog.azurecr.io/layers:1"})[1]
    assert said.split()[:5] == ["d:", "two", "e:", "new", "f"], said
    assert "No such file" in groups.run("rm /f; ls /f 2>&1", container={"image": "sundog.azurecr.io/layers:1"})[1]
    assert "f" in groups.run("cat /f", container={"image": "sundog.azurecr.io/layers:1"})[1]


def test_restart_takes_a_newer_image(groups, sundog):
    push_shell(web.by_path(sundog), "moving", Cmd=["/bin/sh", "-c", "echo first; sleep 1000"])
    name = groups.create(container={"image": "sundog.azurecr.io/moving:1"})
    groups.wait_logs(name, "first")
    push_shell(web.by_path(sundog), "moving", Cmd=["/bin/sh", "-c", "echo second; sleep 1000"])
    web.expect(groups("POST", groups.path(name, "/restart")), 204)
    groups.wait_logs(name, "second")
    groups.delete(name)


# writing again


def test_a_second_put(groups):
    name = groups.create("echo one; sleep 1000")
    groups.wait_logs(name, "one")
    groups.create("echo two; sleep 1000", name, wait=False, statuses=(200,))
    groups.wait_logs(name, "two")
    groups.wait_state(name, "Running")
    body = groups.body([groups.container("echo two; sleep 1000")], restartPolicy="Never")
    web.expect(groups("PUT", groups.path(name), {**body, "tags": {"only": "tags"}}), 200)
    groups.wait_provisioned(name)
    assert groups.view(name)["restartCount"] == 0
    patched = web.expect(groups("PATCH", groups.path(name), {"tags": {"a": "b"}}), 200).json()
    assert patched["tags"] == {"a": "b"}
    assert groups.logs(name) == "two\n"
    groups.delete(name)


def test_puts_and_deletes_on_top_of_each_other(groups, sundog):
    """Whatever the order, the last word holds and nothing is left."""
    name = "g" + secrets.token_hex(4)
    for turn in range(3):
        for script in ("echo a; sleep 1000", "echo b; sleep 1000"):
            answer = groups("PUT", groups.path(name), groups.body([groups.container(script)]))
            assert answer.status in (200, 201, 409), answer
        assert groups("DELETE", groups.path(name)).status in (200, 202, 204)
    wait_until(lambda: groups("GET", groups.path(name)).status == 404, "it is gone")
    groups.create("echo last; sleep 1000", name)
    groups.wait_logs(name, "last")
    groups.delete(name)


# probes


def test_liveness_restarts(groups):
    name = groups.create("touch /tmp/alive; sleep 2; rm /tmp/alive; sleep 1000", restartPolicy="Always", container={
        "livenessProbe": {"exec": {"command": ["cat", "/tmp/alive"]}, "periodSeconds": 1, "failureThreshold": 1,
                          "initialDelaySeconds": 1}})
    wait_until(lambda: groups.view(name).get("restartCount", 0) >= 1, "the probe has it started again")
    assert {"Unhealthy", "Killing"} <= set(groups.events(name))
    groups.delete(name)


def test_readiness_by_http(groups):
    volumes, mounts, waits, opens = groups.gate()
    name = groups.create(f"{waits}; " + WEB.format("ready", 80), ipAddress=public(80), volumes=volumes, container={
        "ports": [{"port": 80}], "volumeMounts": mounts,
        "readinessProbe": {"httpGet": {"path": "/index.html", "port": 80, "scheme": "http"}, "periodSeconds": 1}})
    wait_until(lambda: "Unhealthy" in groups.events(name), "it is not ready at first")
    opens()
    assert fetch(groups.address(name)).strip() == "ready"
    assert groups.view(name)["restartCount"] == 0
    groups.delete(name)


# identity


def test_a_managed_identity_gets_tokens_inside(groups):
    ask = ("wget -q -O - --header 'X-IDENTITY-HEADER: '$IDENTITY_HEADER "
           "\"$IDENTITY_ENDPOINT?api-version=2019-08-01&resource=https://management.azure.com/\" | head -c 40; echo; "
           "wget -q -O - --header 'Metadata: true' 'http://169.254.169.254/metadata/identity/oauth2/token"
           "?api-version=2018-02-01&resource=https://management.azure.com/' | grep -o access_token; echo end")
    body = {**groups.body([groups.container(ask)], restartPolicy="Never"), "identity": {"type": "SystemAssigned"}}
    name = "g" + secrets.token_hex(4)
    made = web.expect(groups("PUT", groups.path(name), body), 201).json()
    assert made["identity"]["principalId"] and made["identity"]["tenantId"]
    groups.ended(name)
    said = groups.logs(name)
    assert said.count("access_token") == 2, said
    groups.delete(name)
    # one without an identity, at the same service
    code, said = groups.run("wget -q -O - --header 'Metadata: true' 'http://169.254.169.254/metadata/identity/oauth2/token"
                            "?api-version=2018-02-01&resource=https://management.azure.com/'; echo; "
                            "wget -q -O - http://169.254.169.254/v2/ 2>&1; echo end")
    assert "access_token" not in said and said.endswith("end\n")


# nothing is left


def test_nothing_is_left(groups, sundog):
    groups.delete_all()
    names = [groups.create("sleep 1000", wait=False) for _ in range(10)]
    for name in names[:5]:
        groups.wait_state(name, "Running")
    for name in names:
        groups("DELETE", groups.path(name))
    for name in names:
        wait_until(lambda: groups("GET", groups.path(name)).status == 404, "it is gone")
    wait_nothing_left(sundog.data)
