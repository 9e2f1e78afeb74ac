"""Sandboxes with real containers, by tests/runtime/driver.c: everything instances/sandbox.h promises."""

import contextlib
import http.server
import os
import re
import subprocess
import threading

import pytest

from harness import leftovers
from harness.machine import need
from harness.sandbox import Driver, busybox_root, container, data_with, files_volume, left, make_layer
from harness.server import wait_until

EMPTY, MEMORY, SHARE, GIT = 0, 1, 3, 4


@pytest.fixture(scope="module")
def place():
    """(DIR, the layers of a busybox image); nothing of it may be left at the end."""
    need("mount", "crun", "git")
    with data_with("busybox", busybox_root) as made:
        yield made


@pytest.fixture(scope="module")
def driver(place):
    with Driver(place[0]) as driver:
        yield driver


@pytest.fixture(scope="module")
def image(place):
    return place[1]


@pytest.fixture
def box(driver, request):
    """A sandbox's name; tests that want a special one give its spec by @pytest.mark.parametrize."""
    name = re.sub("[^a-z0-9]+", "-", request.node.name.lower())[:40].strip("-")
    driver.create(name, **getattr(request, "param", {}))
    yield name
    driver.delete(name)
    assert name not in driver.do("list")["ids"]


def spec(**members):
    return pytest.mark.parametrize("box", [members], indirect=True, ids=[""])


# ---- life ----


def test_machine_lacks_nothing(driver):
    assert driver.do("lacks")["lacks"] is None


@pytest.mark.parametrize("script, code", [("exit 0", 0), ("exit 3", 3), ("sh -c 'kill -9 $$'; exit $?", 137), ("kill -TERM $$; exit 5", 5)])
def test_exit_codes(driver, box, image, script, code):
    """A container's first process ignores signals it has no handler for: its own, too."""
    assert driver.run(box, "app", script, image)[0] == code
    assert driver.state(box, "app")["oomKilled"] is False


def test_times_and_attempts(driver, box, image):
    driver.run(box, "app", "echo one", image)
    driver.run(box, "app", "echo two", image, attempt=1)
    state = driver.state(box, "app")
    assert state["attempt"] == 1
    assert 0 < state["startedUs"] <= state["finishedUs"]
    assert driver.log(box, "app", attempt=0) == "one\n"
    assert driver.log(box, "app", attempt=1) == "two\n"


def test_signals(driver, box, image):
    driver.start(box, "app", "sh", "-c", "trap 'echo got; exit 9' TERM; echo up; while :; do sleep 0.1; done", image=image)
    while driver.log(box, "app") != "up\n":
        pass
    driver.do("signal", id=box, name="app", signal=15)
    assert driver.wait(box, "app")["exitCode"] == 9
    assert driver.log(box, "app") == "up\ngot\n"
    driver.start(box, "app", "sleep", "1000", image=image, attempt=1)
    driver.do("signal", id=box, name="app", signal=9)
    assert driver.wait(box, "app")["exitCode"] == 137
    assert driver.ask("signal", id=box, name="app", signal=9)["fault"] == "not found"


def test_a_running_container_is_not_replaced(driver, box, image):
    driver.start(box, "app", "sleep", "1000", image=image)
    again = driver.ask("start", id=box, spec=container("app", image, ["true"]))
    assert again["fault"] == "conflict"
    assert driver.state(box, "app")["phase"] == "running"


def test_an_id_is_used_once(driver, box):
    assert driver.ask("create", spec={"id": box, "hostname": "x"})["fault"] == "conflict"


def test_remove(driver, box, image):
    driver.start(box, "app", "sh", "-c", "echo said; sleep 1000", image=image)
    while driver.log(box, "app") == "":
        pass
    driver.do("remove", id=box, name="app")
    assert driver.state(box, "app") is None
    assert driver.log(box, "app") == "said\n"
    driver.do("remove", id=box, name="app")
    driver.start(box, "app", "sleep", "1000", image=image)


def test_a_new_start_has_a_fresh_file_system(driver, box, image):
    assert driver.run(box, "app", "echo kept > /file; ls /file", image)[0] == 0
    assert driver.run(box, "app", "cat /file", image, attempt=1)[0] == 1


def test_delete_what_is_not_there(driver):
    driver.delete("never-was")
    driver.delete("never-was")


def test_names_that_are_none(driver, image):
    for name in ("../x", "", "A", "a/b", "-a", "a" * 49):
        assert driver.ask("create", spec={"id": name, "hostname": "x"})["fault"] == "invalid"
        assert driver.ask("delete", id=name)["fault"] == "invalid"
    assert driver.ask("states", id="never-was")["fault"] == "gone"


# ---- what cannot be run ----


@pytest.mark.parametrize(
    "change, text",
    [
        ({"args": ["nosuch"]}, 'exec: "nosuch": executable file not found in $PATH'),
        ({"args": ["/etc/passwd"]}, 'exec: "/etc/passwd": permission denied'),
        ({"args": ["/etc"]}, 'exec: "/etc": permission denied'),
        ({"args": ["/bin/nosuch"]}, 'exec: "/bin/nosuch": no such file or directory'),
        ({"user": "nobody-here"}, "unable to find user nobody-here: no matching entries in passwd file"),
        ({"user": "app:nogroup"}, "unable to find group nogroup: no matching entries in group file"),
        ({"capAdd": ["NO_SUCH"]}, 'there is no capability "NO_SUCH"'),
        ({"cwd": "relative"}, 'the working directory "relative" is not absolute'),
        ({"seccomp": "{}"}, "the seccomp profile has no defaultAction"),
        ({"layers": ["sha256:../../../../etc"]}, "layers: holds what is no diff id"),
        ({"args": []}, "no command is given, neither here nor by the image"),
    ],
)
def test_refused(driver, box, image, change, text):
    wanted = {**container("app", image, ["true"]), **change}
    answer = driver.ask("start", id=box, spec=wanted)
    assert answer["fault"] == "invalid"
    assert text in answer["message"]
    assert driver.state(box, "app") is None
    driver.run(box, "app", "true", image)


# ---- who and where ----


@pytest.mark.parametrize(
    "user, out",
    [
        ({}, "uid=0(root) gid=0(root) groups=4567(extra)\n/root\n"),
        ({"user": "app"}, "uid=1234(app) gid=2345(app) groups=3456(www),4567(extra)\n/home/app\n"),
        ({"user": "app:www"}, "uid=1234(app) gid=3456(www)\n/home/app\n"),
        ({"user": "1234"}, "uid=1234(app) gid=2345(app) groups=3456(www),4567(extra)\n/home/app\n"),
        ({"user": "77:88"}, "uid=77 gid=88\n/\n"),
        ({"user": "app", "runAsUser": 5, "runAsGroup": 6}, "uid=5 gid=6\n/\n"),
    ],
)
def test_users(driver, box, image, user, out):
    code, said = driver.run(box, "app", "id; echo $HOME; touch /dev/stdout", image, **user)
    assert said.replace(" groups=0(root)", "") == out
    assert code == 0, "one's own standard output can be opened"


def test_environment(driver, box, image):
    said = driver.run(box, "app", "env | sort; pwd; hostname; cat /etc/hostname", image, env=["B=1", "A=2", "A=3"], cwd="/made/here")[1]
    assert said.splitlines() == [
        "A=3",
        "B=1",
        "HOME=/root",
        f"HOSTNAME={box}",
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "PWD=/made/here",
        "SHLVL=1",
        "/made/here",
        box,
        box,
    ]


@spec(nameservers=["10.9.8.7"], searches=["a.test", "b.test"], resolvOptions=["ndots:2"], hosts=[{"address": "10.1.1.1", "names": "db db.test"}])
def test_names_of_the_network(driver, box, image):
    said = driver.run(box, "app", "cat /etc/resolv.conf /etc/hosts", image)[1]
    assert "nameserver 10.9.8.7\nsearch a.test b.test\noptions ndots:2\n" in said
    assert "127.0.0.1\tlocalhost\n" in said and f"\t{box}\n" in said and "10.1.1.1\tdb db.test\n" in said


def test_containers_share_the_network_and_nothing_else(driver, box, image):
    driver.start(box, "one", "sh", "-c", "mkdir /www; echo hello > /www/index.html; httpd -f -p 8000 -h /www", image=image)
    said = driver.run(
        box,
        "two",
        "exec 2>&1; until wget -q -O - http://127.0.0.1:8000/; do :; done; ps > /ps; grep -c 'httpd -[f]' /ps; ls /www; ip -o link | wc -l",
        image,
    )[1]
    assert said.startswith("hello\n0\n"), "the other's process"
    assert "/www: No such file" in said
    assert said.endswith("\n1\n"), "loopback alone"


def test_rights(driver, box, image):
    said = driver.run(
        box,
        "app",
        "grep -E 'CapEff|Seccomp:|NoNewPrivs' /proc/self/status; mount -t tmpfs x /tmp 2>&1; unshare -n true 2>&1;"
        "echo 1 > /proc/sys/kernel/hostname; cat /proc/kcore | head -c 1 | wc -c; cat /sys/fs/cgroup/* 2>/dev/null | wc -c;"
        "mknod /tmp/disk b 254 0 && cat /tmp/disk",
        image,
    )[1]
    assert "CapEff:\t00000000a80405fb" in said, "docker's without NET_RAW"
    assert "Seccomp:\t2" in said
    assert "NoNewPrivs:\t0" in said
    assert "mount: permission denied" in said
    assert "unshare(0x40000000): Operation not permitted" in said
    assert "/proc/sys/kernel/hostname: Read-only file system" in said
    assert "can't open '/tmp/disk'" in said or "disk: Operation not permitted" in said


def test_rights_changed(driver, box, image):
    read = "grep -E 'CapEff|CapBnd|Seccomp:|NoNewPrivs' /proc/self/status"
    assert "CapEff:\t0000000000000000" in driver.run(box, "app", read, image, capDrop=["ALL"])[1]
    assert "CapEff:\t0000000000002000" in driver.run(box, "app", read, image, capDrop=["ALL"], capAdd=["NET_RAW"])[1]
    assert "CapEff:\t0000000000000000\nCapBnd:\t00000000a80405fb" in driver.run(box, "app", read, image, user="app")[1]
    assert "NoNewPrivs:\t1" in driver.run(box, "app", read, image, noNewPrivileges=True)[1]
    assert "Seccomp:\t0" in driver.run(box, "app", read, image, seccomp="unconfined")[1]
    profile = '{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["mkdir"],"action":"SCMP_ACT_ERRNO"}],"listenerPath":"/x"}'
    for _ in range(2):  # the second time with the filter that was kept
        said = driver.run(box, "app", "mkdir /d 2>&1; touch /f && ls /f", image, seccomp=profile)[1]
        assert "mkdir: can't create directory '/d': Operation not permitted" in said and said.endswith("/f\n")
    assert "ok" in driver.run(box, "app", "mount -t tmpfs x /tmp && echo ok", image, privileged=True)[1]


def test_read_only(driver, box, image):
    said = driver.run(box, "app", "touch /x; echo y >> /etc/hosts; touch /dev/shm/z && echo shm", image, readOnly=True)[1]
    assert "/x: Read-only file system" in said
    assert "/etc/hosts: Read-only file system" in said
    assert "shm\n" in said


def test_what_is_shared_has_a_size(driver, box, image):
    code, said = driver.run(box, "app", "head -c 1000000 /dev/zero >> /etc/hosts", image)
    assert code != 0 and "I/O error" in said, "busybox has no better word"


# ---- limits ----


def test_out_of_memory(driver, box, image):
    eat = "tail /dev/zero"
    driver.run(box, "app", f"exec {eat}", image, memoryBytes=16 << 20)
    state = driver.state(box, "app")
    assert (state["exitCode"], state["oomKilled"]) == (137, True)


def test_a_child_out_of_memory(driver, box, image):
    code, said = driver.run(box, "app", "tail /dev/zero; echo still $?", image, memoryBytes=16 << 20)
    assert code == 0 and "still 137" in said.splitlines(), said  # the shell says "Killed" beside, before or after
    assert driver.state(box, "app")["oomKilled"] is True


@spec(memoryBytes=16 << 20)
def test_out_of_the_sandbox_s_memory(driver, box, image):
    driver.run(box, "app", "exec tail /dev/zero", image)
    assert driver.state(box, "app")["exitCode"] == 137


def test_pids(driver, box, image):
    said = driver.run(box, "app", "for i in 1 2 3 4 5 6 7 8; do sleep 1000 & done; echo done", image, pids=5)[1]
    assert "can't fork: Resource temporarily unavailable" in said


def test_a_fork_bomb_is_removed(driver, box, image):
    driver.start(box, "app", "sh", "-c", "sh -c 'f() { f | f & }; while :; do f; done' & exec sleep 1000", image=image, pids=200)
    while driver.do("stats", id=box, name="app")["pids"] < 50:
        pass
    driver.do("remove", id=box, name="app")


def test_cpu(driver, box, image):
    """A fifth of a processor: its own clock must say that it was held back."""
    driver.start(box, "app", "sh", "-c", "while :; do :; done", image=image, cpuMillis=200)
    cgroup = subprocess.run(
        f"find /sys/fs/cgroup -path '*/{box}/app/cpu.stat'", shell=True, capture_output=True, text=True, check=True
    ).stdout.split()

    def throttled():
        for path in cgroup:
            with open(path) as file:
                for line in file:
                    if line.startswith("nr_throttled"):
                        yield int(line.split()[1])

    while not any(throttled()):
        pass
    assert driver.do("stats", id=box, name="app")["cpuUs"] > 0


def test_stats(driver, box, image):
    driver.start(box, "app", "sh", "-c", "sleep 1000 & sleep 1000 & wait", image=image)
    while driver.do("stats", id=box, name="app")["pids"] != 3:
        pass
    assert driver.do("stats", id=box, name="app")["memoryBytes"] > 0
    assert driver.ask("stats", id=box, name="other")["fault"] == "not found"


# ---- volumes ----


@spec(
    volumes=[
        {"name": "disk", "kind": EMPTY},
        {"name": "memory", "kind": MEMORY, "sizeBytes": 65536},
        files_volume("files", {"a": "first", "deep/b": "second"}),
    ]
)
def test_volumes(driver, box, image):
    mounts = [
        {"volume": "disk", "path": "/disk"},
        {"volume": "memory", "path": "/memory"},
        {"volume": "files", "path": "/files"},
        {"volume": "disk", "path": "/part", "subPath": "x/y"},
        {"volume": "disk", "path": "/fixed", "readOnly": True},
        {"volume": "files", "path": "/one/file", "subPath": "deep/b"},
    ]
    said = driver.run(
        box,
        "one",
        "cat /files/a /files/deep/b /one/file; echo; echo hello > /part/f; cat /disk/x/y/f; touch /files/c; touch /fixed/z;"
        "head -c 100000 /dev/zero > /memory/big; id -u",
        image,
        mounts=mounts,
    )[1]
    assert said.startswith("firstsecondsecond\nhello\n")
    assert "/files/c: Read-only file system" in said
    assert "/fixed/z: Read-only file system" in said
    assert "head: standard output: I/O error" in said, "the volume is full"
    assert driver.run(box, "two", "cat /disk/x/y/f", image, mounts=mounts, user="app")[1] == "hello\n"
    assert driver.ask("start", id=box, spec=container("three", image, ["true"], mounts=[{"volume": "no", "path": "/x"}]))[
        "message"
    ] == 'there is no volume "no"'


def test_a_share_outlives_sandboxes(driver, place, image):
    volumes = [{"name": "share", "kind": SHARE, "account": "acct", "share": "data"}]
    for name, script in (("first", "echo kept > /s/file"), ("second", "cat /s/file")):
        driver.create(name, volumes=volumes)
        said = driver.run(name, "app", script, image, mounts=[{"volume": "share", "path": "/s"}])[1]
        driver.delete(name)
    assert said == "kept\n"
    with open(f"{place[0]}/shares/acct/data/file") as file:
        assert file.read() == "kept\n"


@spec(volumes=[{"name": "disk", "kind": EMPTY}])
def test_a_link_in_a_volume_leads_nowhere(driver, box, image):
    """What one container leaves in a volume must not become a mount of the host's for the next."""
    disk = [{"volume": "disk", "path": "/disk"}]
    driver.run(box, "evil", "ln -s /etc /disk/out; ln -s ../../.. /disk/up; mkdir /disk/d; ln -s /etc /disk/d/out", image, mounts=disk)
    for path in ("out", "up", "d/out", "out/deeper"):
        spec_ = container("app", image, ["ls", "/part"], mounts=[{"volume": "disk", "path": "/part", "subPath": path}])
        answer = driver.ask("start", id=box, spec=spec_)
        assert (answer["fault"], "symbolic link" in answer["message"]) == ("invalid", True), path
    for path in ("../x", "/etc", "a/../../x", "."):
        spec_ = container("app", image, ["true"], mounts=[{"volume": "disk", "path": "/part", "subPath": path}])
        assert driver.ask("start", id=box, spec=spec_)["fault"] == "invalid", path


def test_an_image_whose_etc_is_a_link(driver, place, box):
    """/etc/passwd is read inside the image, /etc/hosts is mounted inside it, wherever links point."""

    def fill(root):
        busybox_root(root)
        os.rename(f"{root}/etc", f"{root}/real")
        os.symlink("/real", f"{root}/etc")
        os.unlink(f"{root}/real/passwd")
        os.symlink("../../../../../../../../etc/shadow", f"{root}/real/passwd")

    layers = [make_layer(place[0], "linked", fill)]
    code, said = driver.run(box, "app", "cat /etc/hosts; ls -l /real/hosts", layers)
    assert code == 0 and "localhost" in said
    assert driver.ask("start", id=box, spec=container("app", layers, ["true"], user="daemon"))["fault"] == "invalid"


def test_layers_are_stacked(driver, place, box, image):
    def over(root):
        os.makedirs(f"{root}/etc")
        with open(f"{root}/etc/passwd", "w") as out:
            out.write("other:x:42:43::/:/bin/sh\n")
        os.mknod(f"{root}/tmp", 0o600 | 0o020000, os.makedev(0, 0))  # a whiteout

    many = [make_layer(place[0], f"layer-{i}", lambda root: os.makedirs(f"{root}/made")) for i in range(120)]
    top = make_layer(place[0], "over", over)
    code, said = driver.run(box, "app", "id -u; ls -d /made /tmp /bin", [*image, *many, top], user="other")
    assert said.splitlines()[0] == "42"
    assert "/made\n" in said and "/bin\n" in said and "/tmp: No such file" in said


@spec(volumes=[{"name": "repo", "kind": GIT}])
def test_clone(driver, box, image, tmp_path):
    def git(*args):
        subprocess.run(
            ["git", "-c", "user.name=t", "-c", "user.email=t@t", *args], cwd=tmp_path / "work", check=True, capture_output=True
        )

    (tmp_path / "work").mkdir()
    git("init", "-q", "-b", "main")
    for text in ("one", "two"):
        (tmp_path / "work/file").write_text(text)
        git("add", "file")
        git("commit", "-q", "-m", text)
        git("tag", text)
    git("clone", "-q", "--bare", ".", str(tmp_path / "site.git"))
    subprocess.run(["git", "-C", tmp_path / "site.git", "update-server-info"], check=True)

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args):
            super().__init__(*args, directory=str(tmp_path))

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever).start()
        url = f"http://127.0.0.1:{server.server_port}/site.git"
        try:
            driver.do("clone", id=box, volume="repo", repository=url)
            driver.do("clone", id=box, volume="repo", repository=url, revision="one", directory="old")
            missing = driver.ask("clone", id=box, volume="repo", repository=url, revision="nine", directory="new")
            nowhere = driver.ask("clone", id=box, volume="repo", repository=url + "-no", directory="no")
        finally:
            server.shutdown()
    mounts = [{"volume": "repo", "path": "/repo"}]
    assert driver.run(box, "app", "cat /repo/site/file; echo; cat /repo/old/file", image, mounts=mounts)[1] == "two\none"
    assert missing["fault"] == nowhere["fault"] == "unavailable"
    assert "nine" in missing["message"] and "-no" in nowhere["message"]
    for bad in ("file:///etc", "/etc", "ssh://x/y", "ext::sh -c true", "--upload-pack=x"):
        assert driver.ask("clone", id=box, volume="repo", repository=bad)["fault"] == "invalid", bad
    assert driver.ask("clone", id=box, volume="repo", repository=url, directory="../x")["fault"] == "invalid"


# ---- logs ----


def test_log_streams_and_queries(driver, box, image):
    driver.run(box, "app", "echo out1; echo err1 >&2; echo out2; printf end", image)
    state = driver.state(box, "app")
    assert driver.log(box, "app", stream="stdout") == "out1\nout2\nend"
    assert driver.log(box, "app", stream="stderr") == "err1\n"
    assert driver.log(box, "app", stream="stdout", tail=2) == "out2\nend"
    assert driver.log(box, "app", stream="stdout", tail=0) == ""
    assert driver.log(box, "app", stream="stdout", bytesMax=5) == "2\nend"
    assert driver.log(box, "app", sinceUs=state["finishedUs"] + 60_000_000) == ""
    stamped = driver.log(box, "app", timestamps=True, stream="stdout").splitlines()
    assert [line.split(" ", 1)[1] for line in stamped] == ["out1", "out2", "end"]
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z", line.split(" ")[0]) for line in stamped)
    assert driver.log(box, "other") == ""


def test_log_of_any_bytes(driver, box, image):
    assert driver.run(box, "app", r"printf 'a\0b\377c\n'; head -c 100000 /dev/zero | tr '\0' x", image)[1] == (
        "a\0b\xffc\n" + "x" * 100000
    )


def test_a_flood_is_rotated(driver, place, box, image):
    lines, size = 60000, 256 << 10
    driver.start(box, "app", "sh", "-c", f"i=0; while [ $i -lt {lines} ]; do echo line-$i-; i=$((i+1)); done", image=image, logMaxBytes=size)
    followed = driver.do("follow", id=box, name="app")["log"]
    driver.wait(box, "app")
    kept = driver.log(box, "app")
    numbers = [int(line.split("-")[1]) for line in kept.splitlines()]
    assert numbers == list(range(numbers[0], lines)), "the last lines, none missing"
    files = os.listdir(f"{place[0]}/sandboxes/{box}/logs")
    assert sorted(files) == ["app.0.log", "app.0.log.1"]
    assert all(os.path.getsize(f"{place[0]}/sandboxes/{box}/logs/{file}") <= size for file in files)
    assert followed.splitlines()[-1] == f"line-{lines - 1}-"
    assert driver.log(box, "app", tail=3) == "".join(f"line-{i}-\n" for i in range(lines - 3, lines))


def test_following_misses_nothing(driver, box, image):
    lines = 20000
    driver.start(box, "app", "sh", "-c", f"i=0; while [ $i -lt {lines} ]; do echo line-$i; i=$((i+1)); done", image=image)
    followed = driver.do("follow", id=box, name="app")["log"]
    assert followed == "".join(f"line-{i}\n" for i in range(lines))


# ---- exec, terminals, standard input ----


@pytest.fixture
def running(driver, box, image):
    driver.start(box, "app", "sleep", "100000", image=image, env=["OWN=yes"], user="app")
    return box


def test_exec(driver, running):
    done = driver.exec(running, "app", "sh", "-c", "echo out; echo err >&2; exit 7")
    assert (done["out"], done["err"], done["exitCode"]) == ("out\n", "err\n", 7)


def test_exec_knows_the_container_s(driver, running):
    script = "id -un; echo $OWN $NEW $HOME; pwd; grep Seccomp: /proc/self/status"
    assert driver.exec(running, "app", "sh", "-c", script)["out"] == "app\nyes /home/app\n/\nSeccomp:\t2\n"
    done = driver.exec(running, "app", "sh", "-c", script, env=["NEW=1"], user="root", cwd="/tmp")
    assert done["out"] == "root\nyes 1 /root\n/tmp\nSeccomp:\t2\n"


def test_exec_input(driver, running):
    assert driver.exec(running, "app", "cat", input="hello")["out"] == "hello"


def test_exec_of_much(driver, running):
    done = driver.exec(running, "app", "sh", "-c", "head -c 3000000 /dev/zero | tr '\\0' a; head -c 3000000 /dev/zero | tr '\\0' b >&2")
    assert (done["out"], done["err"]) == ("a" * 3000000, "b" * 3000000)


def test_exec_terminal(driver, running):
    done = driver.exec(running, "app", "sh", "-c", "until stty size 2>&1 | grep '10 20'; do :; done; tty; exit 4", terminal=True, rows=10, cols=20)
    assert (done["out"], done["exitCode"]) == ("10 20\r\n/dev/pts/0\r\n", 4)
    done = driver.exec(running, "app", "sh", "-c", "read x; stty size; echo got $x", terminal=True, resize=True, input="word\n")
    assert "33 101\r\n" in done["out"] and "got word\r\n" in done["out"]


def test_exec_signalled(driver, running):
    assert driver.exec(running, "app", "sh", "-c", "kill -9 $$")["exitCode"] == 137


def test_exec_refused(driver, running):
    answer = driver.ask("exec", id=running, name="app", spec={"args": ["nosuch"]})
    assert (answer["fault"], answer["message"]) == ("invalid", 'exec: "nosuch": executable file not found in $PATH')
    assert driver.ask("exec", id=running, name="app", spec={"args": ["id"], "user": "nobody-here"})["fault"] == "invalid"
    assert driver.ask("exec", id=running, name="other", spec={"args": ["id"]})["fault"] == "not found"


@pytest.mark.parametrize("terminal", [False, True])
def test_exec_abandoned(driver, running, terminal):
    """Who closes done does not want the program any more."""
    driver.do("exec", id=running, name="app", spec={"args": ["sleep", "1000"], "terminal": terminal}, abandon=True)
    while driver.do("stats", id=running, name="app")["pids"] != 1:
        pass


def test_many_execs(driver, running, place):
    """None leaves a descriptor or a file behind."""
    with open(f"/run/sundog-{leftovers.data_id(place[0])}/s/{running}/pid") as file:
        pid = file.read().split()[0]

    def links():
        found = []
        for fd in os.listdir(f"/proc/{pid}/fd"):
            with contextlib.suppress(FileNotFoundError):
                found.append(os.readlink(f"/proc/{pid}/fd/{fd}"))
        return sorted(found)

    def sockets():  # the one it listens at, and the watcher's, when nobody is asking anything
        return sum(link.startswith("socket:") for link in links())

    wait_until(lambda: sockets() == 2, "all connections but the watcher's are closed")
    before = links()
    for i in range(20):
        driver.exec(running, "app", "true", terminal=i % 2 == 0)
        driver.ask("exec", id=running, name="app", spec={"args": ["nosuch"], "terminal": i % 2 == 1})
    wait_until(lambda: links() == before, f"what is open is {before} again")
    assert sorted(os.listdir(f"/run/sundog-{leftovers.data_id(place[0])}/s/{running}")) == ["c", "etc", "pid", "sock", "v"]


def test_stdin(driver, box, image):
    driver.start(box, "app", "sh", "-c", "read x; echo got $x; read y; echo and $y", image=image, stdinOpen=True)
    driver.do("stdin", id=box, name="app", input="one\n")
    driver.do("stdin", id=box, name="app", input="two\n")
    assert driver.wait(box, "app")["exitCode"] == 0
    assert driver.log(box, "app") == "got one\nand two\n"
    driver.start(box, "deaf", "sh", "-c", "cat; sleep 1000", image=image)
    assert driver.ask("stdin", id=box, name="deaf", input="x")["fault"] == "invalid"


def test_terminal(driver, box, image):
    driver.start(box, "app", "sh", "-c", "tty; read x; echo got $x", image=image, terminal=True)
    driver.do("stdin", id=box, name="app", input="word\n")
    assert driver.wait(box, "app")["exitCode"] == 0
    assert driver.log(box, "app").replace("word\r\n", "", 1) == "/dev/pts/0\r\ngot word\r\n"


# ---- crashes ----


def shim_of(place, name):
    with open(f"/run/sundog-{leftovers.data_id(place[0])}/s/{name}/pid") as file:
        return int(file.read().split()[0])


def test_a_supervisor_is_killed(driver, place, image):
    driver.create("orphans", volumes=[{"name": "disk", "kind": EMPTY}, {"name": "memory", "kind": MEMORY}])
    driver.start("orphans", "app", "sh", "-c", "sleep 1000 & sleep 1000", image=image, mounts=[{"volume": "disk", "path": "/d", "subPath": "x"}])
    os.kill(shim_of(place, "orphans"), 9)
    assert driver.do("wait-gone", id="orphans")["fault"] == "ok"
    assert "orphans" in driver.do("list")["ids"]
    driver.delete("orphans")
    assert left(place[0]) == []


@pytest.mark.parametrize("looks", [0, 10, 30, 60, 100, 150, 200, 300])
def test_a_supervisor_is_killed_while_it_starts(driver, place, image, looks):
    """At whatever moment of a start: later ones have looked more often at what it does."""
    driver.create("early")
    pid = shim_of(place, "early")
    driver.send("start", id="early", spec=container("app", image, ["sleep", "1000"]))
    seen = 0
    while seen <= looks:
        with open(f"/proc/{pid}/task/{pid}/children") as children:
            seen += bool(children.read())
    os.kill(pid, 9)
    assert driver.receive()["fault"] in ("ok", "gone", "unavailable")
    driver.delete("early")
    assert left(place[0]) == []


def test_a_half_sandbox_is_deleted(driver, place):
    """Only folders, as a crash in the middle of a creation leaves them."""
    os.makedirs(f"/run/sundog-{leftovers.data_id(place[0])}/s/half/etc")
    os.makedirs(f"{place[0]}/sandboxes/half/logs")
    assert "half" in driver.do("list")["ids"]
    driver.delete("half")
    assert left(place[0]) == []


def test_a_creation_that_fails_leaves_nothing(driver, place):
    missing = f"sd{leftovers.data_id(place[0])}"
    answer = driver.ask("create", spec={"id": "unlucky", "hostname": "x", "bridge": missing})
    assert answer["fault"] == "unavailable"
    assert left(place[0]) == []


def test_a_deep_tree_is_removed(driver, place, image):
    driver.create("deep")
    driver.run("deep", "app", "i=0; while [ $i -lt 500 ]; do mkdir 0123456789; cd 0123456789; i=$((i+1)); done; touch end", image)
    driver.delete("deep")
    assert left(place[0]) == []


def test_two_sandboxes_do_not_meet(driver, image):
    driver.create("mine")
    driver.create("theirs")
    driver.start("theirs", "app", "sh", "-c", "echo secret > /secret; httpd -f -p 8000 -h /", image=image)
    said = driver.run("mine", "app", "ps; find / -name secret 2>/dev/null; wget -q -O - http://127.0.0.1:8000/secret", image)[1]
    assert "httpd" not in said and "secret\n" not in said.replace("/secret", "")
    assert driver.ask("signal", id="mine", name="app", signal=9)["fault"] == "not found"
    driver.delete("mine")
    assert driver.state("theirs", "app")["phase"] == "running"
    driver.delete("theirs")


def test_a_server_dies_and_another_takes_over(place, image):
    data = place[0]
    with Driver(data) as first:
        first.create("kept")
        first.start("kept", "app", "sh", "-c", "echo up; read x; echo got $x; exit 6", image=image, stdinOpen=True)
        before = first.state("kept", "app")
        first.kill()
    with Driver(data) as second:
        assert "kept" in second.do("list")["ids"]
        assert second.state("kept", "app") == before
        second.do("stdin", id="kept", name="app", input="word\n")
        assert second.wait("kept", "app")["exitCode"] == 6
        assert second.log("kept", "app") == "up\ngot word\n"
        second.delete("kept")
