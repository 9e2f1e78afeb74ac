"""Sandboxes without a server: tests/runtime/driver.c, and what they leave on a machine."""

import base64
import contextlib
import hashlib
import json
import os
import select
import shutil
import subprocess

from harness import server
from harness.leftovers import data_id, leftovers, sweep

BUSYBOX = "/bin/busybox"


@contextlib.contextmanager
def data_with(name, fill):
    """(DIR, the layers of an image that fill makes); nothing of a sandbox may be left at the end."""
    folder = server.fresh_folder("s")
    data = f"{folder}/data"
    os.makedirs(f"{data}/layers")
    image = [make_layer(data, name, fill)]
    shutil.chown(data, "sundog", "sundog")
    try:
        yield data, image
        assert left(data) == []
    finally:
        sweep(data)
        shutil.rmtree(folder, ignore_errors=True)


class Driver:
    """One process that starts sandboxes under a folder; `with Driver(folder) as driver`."""

    def __init__(self, folder):
        self.folder = folder
        self.process = None

    def __enter__(self):
        program = os.path.join(os.path.dirname(server.program()), "sandbox-driver")
        self.process = subprocess.Popen(
            [program, self.folder], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        hello = json.loads(self.process.stdout.readline() or '{"started": false}')
        assert hello["started"], hello
        return self

    def __exit__(self, *_):
        if not self.process:
            return
        self.process.stdin.close()
        status = self.process.wait()
        self.process.stdout.close()
        assert status == 0, f"the driver ended with {status}"

    def kill(self):
        """kill -9: what it started goes on. Its helper ends by itself."""
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()
        self.process = None

    def send(self, verb, **more):
        self.process.stdin.write(json.dumps({"do": verb, **more}) + "\n")
        self.process.stdin.flush()

    def receive(self):
        ready, _, _ = select.select([self.process.stdout], [], [], server.HANG_S)
        assert ready, "the driver hangs"
        line = self.process.stdout.readline()
        assert line, f"the driver is gone: {self.process.poll()}"
        return json.loads(line)

    def ask(self, verb, **more):
        """The answer, whatever its fault."""
        self.send(verb, **more)
        return self.receive()

    def do(self, verb, **more):
        answer = self.ask(verb, **more)
        assert answer["fault"] == "ok", f"{verb} {more}: {answer}"
        return answer

    # ---- the verbs, with what most tests want ----

    def create(self, name, **spec):
        return self.do("create", spec={"id": name, "hostname": name, **spec})

    def delete(self, name):
        return self.do("delete", id=name)

    def start(self, sandbox, name, *args, image, **spec):
        return self.do("start", id=sandbox, spec=container(name, image, args, **spec))

    def state(self, sandbox, name):
        return self.do("states", id=sandbox)["states"].get(name)

    def wait(self, sandbox, name):
        return self.do("wait", id=sandbox, name=name)["states"][name]

    def log(self, sandbox, name, **query):
        return self.do("log", id=sandbox, name=name, **query)["log"]

    def exec(self, sandbox, name, *args, **more):
        spec = {key: more.pop(key) for key in ("env", "user", "cwd", "terminal", "rows", "cols") if key in more}
        return self.do("exec", id=sandbox, name=name, spec={"args": args, **spec}, **more)

    def run(self, sandbox, name, script, image, **spec):
        """A shell script to its end: (exit code, what it printed)."""
        self.start(sandbox, name, "sh", "-c", script, image=image, **spec)
        state = self.wait(sandbox, name)
        return state["exitCode"], self.log(sandbox, name, attempt=spec.get("attempt", 0))


def container(name, image, args, **spec):
    return {"name": name, "layers": image, "args": list(args), **spec}


def files_volume(name, files):
    content = [
        {"path": path, "content": base64.b64encode(text.encode()).decode()} for path, text in files.items()
    ]
    return {"name": name, "kind": 2, "files": content}


def make_layer(folder, name, fill):
    """DIR/layers as layer_unpack would have left it; fill(root) puts files there. The diff id."""
    digest = hashlib.sha256(name.encode()).hexdigest()
    root = f"{folder}/layers/{digest[:24]}/fs"
    os.makedirs(root)
    fill(root)
    return f"sha256:{digest}"


def busybox_root(root):
    for part in ("bin", "etc", "tmp", "home/app", "root"):
        os.makedirs(f"{root}/{part}")
    os.chmod(f"{root}/tmp", 0o1777)
    subprocess.run(["cp", BUSYBOX, f"{root}/bin/busybox"], check=True)
    applets = subprocess.run([BUSYBOX, "--list"], capture_output=True, text=True, check=True)
    for applet in applets.stdout.split():
        if applet != "busybox":
            os.symlink("busybox", f"{root}/bin/{applet}")
    with open(f"{root}/etc/passwd", "w") as out:
        out.write("root:x:0:0:root:/root:/bin/sh\napp:x:1234:2345:app:/home/app:/bin/sh\n")
    with open(f"{root}/etc/group", "w") as out:
        out.write("root:x:0:\napp:x:2345:\nwww:x:3456:app\nextra:x:4567:app,root\n")


# ---- what is left behind ----


def left(data):
    """Everything of this DIR's containers that the kernel or the disk still has; empty: nothing."""
    mark = f"sundog-{data_id(data)}"
    found = [f"{kind}: {what}" for kind, things in leftovers(data).items() for what in things]
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            for file in ("mountinfo", "cgroup"):
                with open(f"/proc/{pid}/{file}") as lines:
                    found += [f"{file} of {pid}: {line}" for line in lines if mark in line]
    return found
