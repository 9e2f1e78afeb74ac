"""What a server that has been taken over, an image, and a container try on the machine: it stays as it was."""

import glob
import io
import os
import shutil
import stat
import subprocess
import tarfile

import pytest

from harness import web
from harness.containers import Groups, push_image, shell_files
from harness.images import tar_of
from harness.machine import need
from harness.sandbox import Driver, busybox_root, container, data_with, left, make_layer
from harness.server import Sundog, fresh_folder, wait_until

FDS = range(3, 32)


# the server's user, who owns the data folder


@pytest.mark.parametrize("name", ["tls", "blobs", "postgres-socket"])
def test_a_link_in_the_data_folder_gives_nothing_away(name):
    need("root")
    folder = fresh_folder("a")
    data, prey = f"{folder}/data", f"{folder}/prey"
    os.makedirs(data)
    shutil.chown(data, "sundog", "sundog")
    os.mkdir(prey, 0o700)
    os.symlink(prey, f"{data}/{name}")
    server = Sundog(data=data)
    try:
        server.start(wait=False)
        wait_until(lambda: server.process.poll() is not None or os.path.exists(f"{data}/endpoints.json"),
                   "it has decided")
        assert f"{data}/{name}" in server.said() and server.process.returncode != 0
        kept = os.stat(prey)
        assert (kept.st_uid, kept.st_gid, kept.st_mode & 0o777) == (0, 0, 0o700)
        # what is the server's already may be anywhere
        if name != "postgres-socket":
            shutil.chown(prey, "sundog", "sundog")
            server.start()
    finally:
        server.close()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.parametrize("is_link", [True, False], ids=["a link", "half made"])
def test_an_unfinished_database_is_removed_alone(is_link):
    """Root removes what a crash in initdb left, and nothing that is not PostgreSQL's."""
    need("root")
    folder = fresh_folder("a")
    data, prey = f"{folder}/data", f"{folder}/prey"
    fresh = f"{data}/postgres.new"
    os.makedirs(data)
    if is_link:
        os.mkdir(prey)
        os.symlink(prey, fresh)
    else:
        os.makedirs(f"{fresh}/base")
    for path in [prey] if is_link else [f"{fresh}/base", fresh]:
        with open(f"{path}/file", "w"):
            pass
        if not is_link:
            shutil.chown(f"{path}/file", "postgres")
            shutil.chown(path, "postgres")
    server = Sundog(data=data)
    try:
        server.start()
        assert not os.path.lexists(fresh)
        assert not is_link or os.listdir(prey) == ["file"]
    finally:
        server.close()
        shutil.rmtree(folder, ignore_errors=True)



# images and containers


def hostile_root(root):
    busybox_root(root)
    for fd in FDS:
        os.symlink(f"/proc/self/fd/{fd}", f"{root}/w{fd}")


@pytest.fixture(scope="module")
def place():
    """(DIR, the layers of an image with links to what a process has open)."""
    need("root", "mount", "crun")
    with data_with("hostile", hostile_root) as made:
        yield made


@pytest.fixture
def driver(place):
    with Driver(place[0]) as driver:
        driver.create("box", volumes=[{"name": "v", "kind": 0}])
        yield driver
        driver.delete("box")


@pytest.mark.parametrize("folder", ["/proc/self/fd/{}", "/w{}"])
def test_no_working_directory_is_outside(driver, place, folder):
    """What the runtime has open while it changes into the working directory is of the image, or nothing."""
    for attempt, fd in enumerate(FDS):
        spec = container("app", place[1], ["sh", "-c", "exit 3"], attempt=attempt, cwd=folder.format(fd),
                         mounts=[{"volume": "v", "path": "/v", "subPath": "part"}], terminal=fd % 2 == 0)
        assert driver.ask("start", id="box", spec=spec)["fault"] == "unavailable", f"descriptor {fd} is a folder"


def test_no_working_directory_of_exec_is_outside(driver, place):
    driver.start("box", "app", "sleep", "1000", image=place[1])
    for fd in FDS:
        for folder in f"/proc/self/fd/{fd}", f"/w{fd}":
            answer = driver.ask("exec", id="box", name="app", spec={"args": ["pwd"], "cwd": folder})
            assert answer["fault"] == "unavailable", f"descriptor {fd} is a folder: {answer}"


def as_user(*command):
    """What our user, whom a taken over server is, gets to see: exit code."""
    return subprocess.run(["setpriv", "--reuid=sundog", "--regid=sundog", "--clear-groups", *command],
                          stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode


def test_devices_in_volumes_are_out_of_reach(driver, place):
    """A container may make them, and cannot open them; neither may the server's user."""
    script = "for v in v s; do mknod /$v/d c 1 9; chmod 666 /$v/d; cat /$v/d && exit 9; done; mknod /d c 1 1; cat /d && exit 8; exit 0"
    driver.create("two", volumes=[{"name": "v", "kind": 0}, {"name": "s", "kind": 3, "account": "acct", "share": "data"}])
    mounts = [{"volume": "v", "path": "/v"}, {"volume": "s", "path": "/s"}]
    assert driver.run("two", "app", script, place[1], mounts=mounts)[0] == 0
    made = [f"{place[0]}/sandboxes/two/volumes/v/d", f"{place[0]}/shares/acct/data/d"]
    assert all(stat.S_ISCHR(os.stat(path).st_mode) for path in made)
    assert [as_user("test", "-e", path) for path in made] == [1, 1]
    assert as_user("test", "-e", f"{place[0]}/sandboxes/two/logs") == 0
    driver.delete("two")
    shutil.rmtree(f"{place[0]}/shares")


MOUNTED = ["proc", "dev", "sys", "etc/hosts", "etc/resolv.conf", "dev/pts", "v", "cwd"]


@pytest.mark.parametrize("name", MOUNTED)
@pytest.mark.parametrize("way", ["absolute", "upwards", "dangling"])
def test_links_at_mount_targets_stay_inside(driver, place, name, way):
    """Whether it starts or not: nothing appears, changes or is covered on the machine."""
    prey = fresh_folder("p")
    with open(f"{prey}/file", "w") as file:
        file.write("untouched")
    target = {"absolute": prey, "upwards": "../" * 20 + prey[1:], "dangling": f"{prey}/new/folder"}[way]
    target = f"{prey}/file" if name.startswith("etc/") and way != "dangling" else target

    def fill(root):
        hostile_root(root)
        os.makedirs(os.path.dirname(f"{root}/{name}"), exist_ok=True)
        os.symlink(target, f"{root}/{name}")

    layer = make_layer(place[0], f"{name} {way}", fill)
    spec = container("app", [layer], ["/bin/sh", "-c", f"echo changed > {prey}/file; echo changed > /v/file; mkdir {prey}/made"],
                     cwd="/cwd", mounts=[{"volume": "v", "path": "/v"}])
    if driver.ask("start", id="box", spec=spec)["fault"] == "ok":
        driver.wait("box", "app")
    assert os.listdir(prey) == ["file"]
    with open(f"{prey}/file") as file:
        assert file.read() == "untouched"
    assert os.stat(prey).st_uid == 0 and not os.path.ismount(prey) and not os.path.ismount(f"{prey}/file")
    shutil.rmtree(prey)


def test_mount_paths_stay_inside(driver, place):
    prey = fresh_folder("p")
    for attempt, path in enumerate([f"{'/..' * 20}{prey}/new", f"/v{'/..' * 20}{prey}"]):
        spec = container("app", place[1], ["sh", "-c", "exit 0"], attempt=attempt, mounts=[{"volume": "v", "path": path}])
        if driver.ask("start", id="box", spec=spec)["fault"] == "ok":
            driver.wait("box", "app")
        assert os.listdir(prey) == [] and not os.path.ismount(prey)
    shutil.rmtree(prey)


def test_only_our_bridge_is_joined(driver):
    answer = driver.ask("create", spec={"id": "lost", "hostname": "x", "bridge": "docker0"})
    assert answer["fault"] == "invalid" and "docker0" in answer["message"]


# through the API


@pytest.fixture(scope="module")
def groups(sundog):
    need("root", "crun", "mount")
    made = Groups(sundog)
    yield made
    made.delete_all()


def devices():
    """A layer of devices that anybody may open, owned by 1000, one of them where users are looked up."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for path, kind, numbers in [("disk", tarfile.BLKTYPE, (8, 0)), ("memory", tarfile.CHRTYPE, (1, 1)),
                                    ("etc/passwd", tarfile.CHRTYPE, (10, 130))]:
            entry = tarfile.TarInfo(path)
            entry.type, entry.mode, entry.uid, entry.gid = kind, 0o6666, 1000, 1000
            entry.devmajor, entry.devminor = numbers
            tar.addfile(entry)
    return out.getvalue()


def test_devices_of_an_image_are_roots_and_stay_shut(groups, sundog):
    push_image(web.by_path(sundog), "devices", "1", [tar_of(*shell_files(), folders=("tmp",)), devices()],
               {"Cmd": ["/bin/sh", "-c", "cat /disk /memory 2>&1; ls -l /disk; echo $(id -u)"], "Env": ["PATH=/bin"], "User": "0"})
    _, said = groups.run(None, container={"image": "sundog.azurecr.io/devices:1"})
    assert "can't open '/disk': Operation not permitted" in said and "can't open '/memory': Operation not permitted" in said
    assert "brw-------" in said and said.endswith("0\n")
    found = [path for name in ("disk", "memory", "etc/passwd") for path in glob.glob(f"{sundog.data}/layers/*/fs/{name}")]
    modes = [os.stat(path) for path in found if not stat.S_ISREG(os.stat(path).st_mode)]
    assert [(one.st_uid, stat.S_IMODE(one.st_mode)) for one in modes] == [(0, 0o600)] * 3


@pytest.mark.parametrize("url", ["ext::sh -c touch% /tmp/x", "file:///etc", "ssh://h/x", "git://h/x", "--upload-pack=touch /tmp/x", "/etc", "https://", "http:///"])
def test_repositories_that_are_none(groups, url):
    volume = {"name": "code", "gitRepo": {"repository": url, "directory": "."}}
    body = groups.body([groups.container("exit 0", volumeMounts=[{"name": "code", "mountPath": "/code"}])], volumes=[volume])
    assert groups("PUT", groups.path("repo"), body).status == 400, url
