"""The console's pages of container groups, on containers that run: the list, a group, its logs, making one, a shell."""

import concurrent.futures
import html
import json
import re
import secrets
import urllib.parse
import uuid

import pytest
import websocket
import yaml

from harness import web
from harness.azure import admin
from harness.console import Browser, typed
from harness.containers import Groups, fetch, push_shell, wait_nothing_left
from harness.entra import Entra
from harness.machine import need
from harness.manager import CONTRIBUTOR, READER
from harness.node import packages, run_checks
from harness.server import Sundog, wait_until

HOSTILE = "<script>alert('x')</script>"
SCRIPT = ("echo hello-log; echo \"<script>alert('x')</script>\"; printf '\\033[31mred\\033[0m \\001bell\\r\\n'; "
          "echo shown > /tmp/index.html; httpd -p 80 -h /tmp; read line; echo got $line; exec sleep 100000")


@pytest.fixture(scope="module")
def groups(sundog):
    need("root", "crun", "mount")
    push_shell(web.by_path(sundog))
    made = Groups(sundog, "shown(1)")
    yield made
    made.delete_all()
    wait_nothing_left(sundog.data)


@pytest.fixture(scope="module")
def running(groups):
    """A group with all that a page can show."""
    first = {"name": "first", "properties": {"image": groups.image, "command": ["/bin/true"]}}
    main = groups.container("touch /m/there; mkfifo /tmp/f; " + SCRIPT.replace("read line", "read line < /tmp/f"),
                            ports=[{"port": 80}], environmentVariables=[
                                {"name": "PLAIN", "value": HOSTILE}, {"name": "SECRET", "secureValue": "hush-hush"}],
                            volumeMounts=[{"name": "room", "mountPath": "/m"}, {"name": "keys", "mountPath": "/k", "readOnly": True}])
    side = groups.container("exit 3", name="side")
    name = groups.create(containers=[main, side], initContainers=[first], ipAddress={
        "type": "Public", "ports": [{"port": 80}], "dnsNameLabel": "shown-here"},
        volumes=[{"name": "room", "emptyDir": {}}, {"name": "keys", "secret": {"k": "aHVzaC1odXNo"}}])
    groups("PATCH", groups.path(name), {"tags": {"note": HOSTILE}})
    groups.ended(name, 1)
    groups.wait_logs(name, "bell")
    return name


@pytest.fixture
def browser(sundog):
    first, browser = admin(sundog), Browser(sundog)
    assert browser.sign_in(first["userName"], first["userPassword"]).status == 200
    return browser


def make_user(sundog, groups, *roles):
    """A user's browser, signed in; roles at the resource group."""
    entra, name = Entra(sundog), "u" + secrets.token_hex(4)
    upn = f"{name}@sundog.localhost"
    made = entra.graph("POST", "/users", 201, {
        "displayName": name, "userPrincipalName": upn, "accountEnabled": True, "mailNickname": name,
        "passwordProfile": {"password": "Correct-horse-1"}})
    scope = groups.folder.split("/providers/")[0]
    for role in roles:
        groups.put(f"{scope}/providers/Microsoft.Authorization/roleAssignments/{uuid.uuid4()}", {"properties": {
            "roleDefinitionId": f"{groups.sub}/providers/Microsoft.Authorization/roleDefinitions/{role}",
            "principalId": made["id"], "principalType": "User"}})
    browser = Browser(sundog)
    assert browser.sign_in(upn, "Correct-horse-1").status == 200
    return browser


@pytest.fixture(scope="module")
def reader(sundog, groups):
    return make_user(sundog, groups, READER)


def page_path(groups, name, rest=""):
    return "/console" + groups.path(name, rest)


def is_harmless(page):
    assert page.status == 200, page.text
    assert "<script>alert" not in page.body and "\x1b" not in page.body and "hush-hush" not in page.body
    assert len(page.body) < 200_000


# the list


def test_the_list(groups, running, browser):
    page = browser.get("/console/instances")
    is_harmless(page)
    assert page.links[running].endswith(running)
    assert re.search(rf"{running} Running {groups.image} and 1 more shown-here.eastus.azurecontainer.localhost shown\(1\) 0",
                     page.text), page.text
    form = page.form("Search")
    assert running in browser.submit(page, form, q="shown-here").links
    assert running not in browser.submit(page, form, q="no-such-group").links
    assert "az container list" in page.text


def test_a_viewer_of_nothing_is_told_what_to_type(sundog, groups, running):
    page = make_user(sundog, groups).get("/console/instances")
    assert running not in page.body and "az container create" in page.text and "Create a container group" not in page.links


# a group


def test_a_group(groups, running, browser):
    page = browser.get(browser.get("/console/instances").links[running])
    is_harmless(page)
    address = groups.address(running)
    assert page.title == f"{running} · Sundog" and page.links["80/TCP"] == f"http://{address}:80/"
    assert fetch(address) == "shown\n"
    for said in ("State Running", "shown-here.eastus.azurecontainer.localhost", f"main {groups.image} Running since",
                 f"first (runs first) {groups.image} Completed", f"side {groups.image} Error 0 3 0.5 0.5 GB",
                 f"main PLAIN {HOSTILE}", "main SECRET secure: never shown", "room empty at first /m in main",
                 "keys secret /k in main (read only)", f"note: {HOSTILE}", "Restart policy Never",
                 f"az container restart -g 'shown(1)' -n {running}"):
        assert said in page.text, (said, page.text)
    for event in ("Pulled", "Started"):
        assert f"main Normal {event}" in page.text
    assert page.links["shown(1)"].endswith("/resourceGroups/shown%281%29")


def test_its_buttons(groups, browser):
    name = groups.create("trap 'exit 0' TERM; echo up; while :; do sleep 0.1; done", restartPolicy="Always")
    groups.wait_logs(name, "up")
    page = browser.get(page_path(groups, name))
    assert page.has_form("Stop") and page.has_form("Restart") and not page.has_form("Start")
    page = browser.submit(page, page.form("Stop"))
    assert "was stopped" in page.text and groups.state(name) == "Stopped"
    page = browser.submit(page, page.form("Start"))
    assert page.url.endswith(name) and "being started" in page.text
    groups.wait_state(name, "Running")
    groups.wait_logs(name, "up")
    page = browser.get(page_path(groups, name))
    page = browser.submit(page, page.form("Restart"))
    assert "being restarted" in page.text
    groups.wait_state(name, "Running")
    page = browser.get(page_path(groups, name))
    form = page.form("Delete")
    form.fields["proof"] = "0" * 64
    assert browser.submit(page, form).status == 403 and groups.show(name)
    page = browser.get(page_path(groups, name))
    page = browser.submit(page, page.form("Delete"))
    assert page.url.endswith("/console/instances") and "being deleted" in page.text
    wait_until(lambda: browser.get(page_path(groups, name)).status == 404, "its page is gone")


def test_who_may_only_read_sees_no_buttons_and_is_refused(groups, running, reader):
    page = reader.get(page_path(groups, running))
    is_harmless(page)
    assert "Shell" not in page.links and "Create a container group" not in reader.get("/console/instances").links
    assert "State Running" in page.text and {form.button for form in page.forms} == {"Sign out"}
    proof = page.form("Sign out").fields["proof"].encode()
    for verb in ("start", "stop", "restart", "delete"):
        assert reader.get(page_path(groups, running, f"/{verb}"), b"proof=" + proof).status == 403
    assert groups.state(running) == "Running"
    assert "hello-log" in reader.get(page_path(groups, running, "/logs")).text
    assert reader.get(page_path(groups, running, "/shell")).status == 403
    assert "there is none where you may" in reader.get("/console/instances/new").text
    sent = b"group=" + groups.folder.split("/providers/")[0].encode() + b"&name=refused&image=x&proof=" + proof
    assert reader.get("/console/instances/new", sent).status == 403
    assert groups("GET", groups.path("refused")).status == 404


# logs


def test_logs(groups, running, browser):
    page = browser.get(browser.get(page_path(groups, running)).links["main"])
    is_harmless(page)
    assert page.title == "Logs of main · Sundog" and '<pre class="log"' in page.body
    assert f"hello-log {HOSTILE} red \u2401bell" in page.text and "\r" not in page.body
    assert "az container logs" in page.text and "--container-name main --follow" in page.text
    side = browser.get(page_path(groups, running, page.links["side"].replace("?", "/logs?")))
    assert "printed nothing yet" in side.text
    assert browser.get(page_path(groups, running, "/logs?container=none")).status == 404
    assert browser.get(page_path(groups, running, "/logs?container=%3Cscript%3Ealert(1)")).status == 404


def test_logs_follow(groups, running, browser):
    stream = browser.follow.open(browser.base + "/console/live?page=" + urllib.parse.quote(page_path(groups, running, "/logs")))
    def message():
        while not (line := stream.readline().decode()).startswith("data: "):
            assert line, "the stream ended"
        return json.loads(line[6:])
    assert "got it-now" not in message()
    terminal = groups.exec(running, "/bin/sh -c 'echo it-now > /tmp/f'")
    terminal.rest()
    while "got it-now" not in message():
        pass
    stream.close()


def test_long_logs_are_cut_at_a_line(groups, browser):
    name = groups.create("i=0; while [ $i -lt 3000 ]; do echo \"line-$i &&&&&&&&&&&&&&&&&&&&&&&&&&&&&&&&&&&&&&&&&&&&&&&\"; "
                         "i=$((i+1)); done; echo the-end")
    groups.wait_logs(name, "the-end")
    page = browser.get(page_path(groups, name, "/logs"))
    is_harmless(page)
    lines = page.body.split('aria-label="What main printed">\n')[1].split("</pre>")[0].splitlines()
    assert "the-end" == lines[-1] and re.match(r"line-\d+ &amp;", lines[0]) and 200 < len(lines) <= 500
    assert "the command below shows more" in page.text


# making one


def test_the_form(groups, browser):
    name = "g" + secrets.token_hex(4)
    page = browser.get(browser.get("/console/instances").links["Create a container group"])
    form = page.form("Create")
    folder = groups.folder.split("/providers/")[0]
    typed = {"group": folder, "name": name, "image": groups.image, "ports": "80, 53/udp", "cpu": "0.5", "memory": "0.5",
             "command": "/bin/sh -c 'echo \"$GREETING\"; sleep 1000'", "environment": f"GREETING={HOSTILE}\r\nEMPTY=\r\n"}
    shown = browser.submit(page, form, press=0, **typed)
    is_harmless(shown)
    assert shown.url.split("?")[0].endswith("/console/instances/new") and "proof" not in shown.url
    assert "az container create -g 'shown(1)' --file group.yaml" in shown.text
    said = re.search(r"group\.yaml</figcaption><pre[^>]*><code>(.*?)</code>", shown.body, re.S).group(1)
    body = yaml.safe_load(html.unescape(said))
    container = body["properties"]["containers"][0]["properties"]
    assert container["command"] == ["/bin/sh", "-c", 'echo "$GREETING"; sleep 1000']
    assert container["environmentVariables"] == [{"name": "GREETING", "value": HOSTILE}, {"name": "EMPTY", "value": ""}]
    assert [p["protocol"] for p in body["properties"]["ipAddress"]["ports"]] == ["TCP", "UDP"]
    again = shown.form("Create")
    assert all(again.fields[key] == value.replace("\r\n", "\n") for key, value in typed.items()
               if key != "environment"), again.fields
    made = browser.submit(shown, again, press=1, environment=typed["environment"])
    assert made.url.endswith(name) and "is being made" in made.text and made.title == f"{name} · Sundog", made.text
    groups.wait_logs(name, HOSTILE, name)
    assert web.expect(groups("PUT", groups.path(name), body), 200)  # what the YAML says is what was made
    taken = browser.submit(shown, again, press=1, environment=typed["environment"])
    assert taken.status == 409 and "already" in taken.text and taken.form("Create").fields["name"] == name


@pytest.mark.parametrize("wrong, said", [
    ({"name": "Not Good"}, "name 'Not Good' is not valid"), ({"name": ""}, "the name is missing"), ({"image": ""}, "the image is missing"),
    ({"ports": "http"}, 'not "http"'), ({"ports": ""}, "at least one port"), ({"cpu": "many"}, 'processors must be a number'),
    ({"memory": "64"}, "exceeds the limit"), ({"command": "echo 'x"}, "quote that does not end"), ({"group": "x"}, "choose a resource group"),
    ({"environment": HOSTILE}, "a line is NAME=value"), ({"image": "sundog.azurecr.io/none:1"}, "is not accessible")])
def test_what_is_wrong_is_said_and_what_was_typed_is_kept(groups, browser, wrong, said):
    page = browser.get("/console/instances/new")
    typed = {"group": groups.folder.split("/providers/")[0], "name": "wrong", "image": groups.image, "command": "/bin/true", **wrong}
    again = browser.submit(page, page.form("Create"), press=1, **typed)
    assert again.status == 400 and said in again.text, again.text
    assert "<script>alert" not in again.body and "data-live" not in again.body
    kept = again.form("Create").fields
    assert all(kept[key] == value for key, value in typed.items() if key != "group"), kept
    assert groups("GET", groups.path("wrong")).status == 404


# a shell


def test_a_shell(groups, running, browser):
    page = browser.get(browser.get(page_path(groups, running)).links["Shell"])
    is_harmless(page)
    assert "/terminal?container=main" in page.body and "az container exec" in page.text and "--exec-command /bin/sh" in page.text
    assert re.search(r'<script src="/console/assets/term\.[0-9a-f]{8}\.js">', page.body)
    said = typed(browser.terminal(page_path(groups, running, "/terminal"), "main"), b"stty size; echo $((40+2))-done; exit\n")
    assert b"31 97" in said and b"42-done" in said


@pytest.mark.parametrize("who, more, status", [
    ("browser", {"origin": "https://example.org"}, 403), ("browser", {"cookie": False}, 401), ("reader", {}, 403),
    ("browser", {"container": "none"}, 404), ("browser", {"container": "side"}, 409)])
def test_a_shell_is_not_for_everybody(request, groups, running, who, more, status):
    with pytest.raises(websocket.WebSocketBadStatusException) as refused:
        request.getfixturevalue(who).terminal(page_path(groups, running, "/terminal"), **{"container": "main", **more})
    assert refused.value.status_code == status


def echoes(socket):
    """Whoever reads what it prints talks to a shell."""
    word = secrets.token_hex(4)
    socket.send_binary(f"echo {word[:4]}''{word[4:]}\n".encode())
    said = b""
    while word.encode() not in said:
        opcode, data = socket.recv_data()
        assert opcode == 2, data
        said += data
    return True


def goodbye(socket):
    """What it says when it is closed."""
    while True:
        opcode, data = socket.recv_data()
        if opcode == 8:
            return int.from_bytes(data[:2], "big"), data[2:].decode()


def sign_out(browser, _entra, _who):
    page = browser.get("/console")
    browser.submit(page, page.form("Sign out"))


def revoke(_browser, entra, who):
    entra.graph("POST", f"/users/{who}/revokeSignInSessions", 200)


def disable(_browser, entra, who):
    entra.graph("PATCH", f"/users/{who}", 204, {"accountEnabled": False})


def remove(_browser, entra, who):
    entra.graph("DELETE", f"/users/{who}", 204)


@pytest.mark.parametrize("end", [sign_out, revoke, disable, remove])
def test_a_shell_ends_with_its_session(sundog, groups, running, browser, end):
    entra, person = Entra(sundog), make_user(sundog, groups, CONTRIBUTOR)
    upn = person.get("/console/access").text.split("You are ")[1].split()[0]
    who = entra.graph("GET", f"/users/{upn}", 200)["id"]
    path = page_path(groups, running, "/terminal")
    others, own = browser.terminal(path, "main"), person.terminal(path, "main")
    assert echoes(own) and echoes(others)
    own.send_binary(b"echo $$ > /tmp/shell; echo written\n")
    assert echoes(own)
    end(person, entra, who)
    assert goodbye(own) == (1008, "You are not signed in any more.")
    assert echoes(others)  # of another session
    said = typed(others, b"while kill -0 $(cat /tmp/shell) 2>/dev/null; do sleep 0.1; done; echo it-is-\"\"gone; exit\n")
    assert b"it-is-gone" in said, said


def test_in_a_browser(sundog, groups, running):
    """What test_console_browser.py asks of every page, of those that need a group."""
    need("chromium")
    first = admin(sundog)
    paths = [page_path(groups, running, rest) for rest in ("", "/logs?container=main", "/shell")]
    run_checks(packages(), "console.mjs", {
        "SUNDOG_URL": sundog.plain, "SUNDOG_USER": first["userName"], "SUNDOG_USER_PASSWORD": first["userPassword"],
        "SUNDOG_PAGES": json.dumps(paths), "SUNDOG_MAKE_GROUP": json.dumps({
            "url": f"{sundog.plain}{groups.sub}/resourceGroups/made-while-looking?api-version=2022-09-01", "token": groups.token})}, 6)


def test_waiting_for_changes_leaves_room_for_others(sundog):
    """Stopping takes as long as the container does; with two workers at most one waits for it, and it ends."""
    with Sundog(["--workers", "2"]) as server:
        push_shell(web.by_path(server))
        groups, first = Groups(server), admin(server)
        names = [groups.create("trap 'while [ ! -e /v/go ]; do sleep 0.1; done; exit 0' TERM; echo up; while :; do sleep 0.1; done",
                               container={"volumeMounts": [{"name": "v", "mountPath": "/v"}]},
                               volumes=[{"name": "v", "emptyDir": {}}]) for _ in range(3)]
        pages = []
        for name in names:
            groups.wait_logs(name, "up")
            browser = Browser(server)
            browser.sign_in(first["userName"], first["userPassword"])
            pages.append((browser, browser.get(page_path(groups, name))))
        with concurrent.futures.ThreadPoolExecutor(3) as threads:
            asked = [threads.submit(browser.submit, page, page.form("Stop")) for browser, page in pages]
            ended = next(concurrent.futures.as_completed(asked)).result()
            assert ended.status == 503 and "too many changes" in ended.text, ended.text
            assert Browser(server).sign_in(first["userName"], first["userPassword"]).title == "Overview · Sundog"
            for name in names:  # the API answers meanwhile
                if groups.show(name)["instanceView"]["state"] == "Running":
                    groups.exec(name, "/bin/touch /v/go").rest()
            answers = [answer.result() for answer in asked]
        assert sorted(answer.status for answer in answers)[0] == 200
        assert sum("was stopped" in answer.text for answer in answers) >= 1
        groups.delete_all()
