"""One `sundog serve` of the test: a fresh data folder, free ports, ended by process id."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

from harness import leftovers, sweep
from harness.machine import TOP

PATH = "/usr/sbin:/usr/bin:/sbin:/bin"  # a new machine's: where we are developed, PostgreSQL's programs are in it, too
HANG_S = 120  # only against hangs: no test asserts that something is faster than this


def program(build="asan"):
    """The program to test; $SUNDOG_PROGRAM takes another one."""
    return os.environ.get("SUNDOG_PROGRAM") or os.path.join(TOP, "build", build, "sundog")


def fresh_folder(prefix="d"):
    """Short (unix sockets live below it) and searchable by the users sundog and postgres."""
    folder = tempfile.mkdtemp(prefix=prefix, dir=os.environ.get("SUNDOG_TEST_RUN", "/tmp"))
    os.chmod(folder, 0o755)
    return folder


def wait_until(true, what, timeout_s=HANG_S, pause_s=0.05):
    """Polls; the timeout is a guard against hangs, not a measure."""
    deadline = time.monotonic() + timeout_s
    while True:
        value = true()
        if value:
            return value
        assert time.monotonic() < deadline, f"waited {timeout_s} s in vain until {what}"
        time.sleep(pause_s)


class Sundog:
    """start() and stop() may be called again and again; the data folder stays until close()."""

    def __init__(self, args=(), build="asan", data=None, env=None, blobs=None):
        self.build, self.args, self.env = build, list(args), dict(env or {})
        self.folder = None if data else fresh_folder()
        self.data = data or os.path.join(self.folder, "data")
        self.blobs = blobs or os.path.join(self.data, "blobs")
        self.blobs_given = blobs is not None
        self.output = (self.folder or self.data.rstrip("/")) + ".out"
        self.process = None
        self.start_s = None
        self.known_credentials = None

    # life

    def command(self):
        listens = any(arg in ("--listen", "--plain-listen") for arg in self.args)
        ports = [] if listens else ["--listen", "127.0.0.1:0", "--plain-listen", "127.0.0.1:0"]
        blobs = ["--blobs", self.blobs] if self.blobs_given else []
        return [program(self.build), "serve", "--data", self.data, *blobs, *ports, *self.args]

    def start(self, wait=True):
        before = time.monotonic()
        with contextlib.suppress(OSError):
            os.remove(os.path.join(self.data, "endpoints.json"))
        with open(self.output, "ab") as out:
            self.process = subprocess.Popen(
                self.command(), stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                env={**os.environ, "PATH": PATH, **self.env},
            )
        if wait:
            self.wait_ready()
            self.start_s = time.monotonic() - before
        return self

    def wait_ready(self, timeout_s=HANG_S):
        wait_until(self.ready, f"sundog is ready; it said:\n{self.said()}", timeout_s, 0.02)

    def ready(self):
        assert self.process.poll() is None, f"sundog ended with {self.process.returncode}:\n{self.said()}"
        try:
            with open(os.path.join(self.data, "endpoints.json")) as file:
                self.endpoints = json.load(file)
            return self.status("/readyz") == 200
        except (OSError, ValueError):
            return False

    def status(self, path):
        """Status of a plain GET, by a connection of its own; an OSError when nobody answers."""
        try:
            with urllib.request.urlopen(self.plain + path, timeout=HANG_S) as answer:
                return answer.status
        except urllib.error.HTTPError as error:
            return error.code

    def stop(self):
        """SIGTERM, and waits; answers the exit status."""
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(HANG_S) if self.process else None

    def kill(self):
        """kill -9 of every process of the service (not of PostgreSQL)."""
        for pid in self.own_pids():
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait(HANG_S)

    def restart(self):
        self.stop()
        return self.start()

    def close(self):
        """Ends everything that names the data folder, and removes it."""
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(20)
        sweep.end_all(self.data)
        if self.process:
            self.process.wait(HANG_S)
        leftovers.sweep(self.data)
        sweep.unmount_below(self.folder or self.data)
        if self.folder and not os.environ.get("SUNDOG_TEST_KEEP"):
            shutil.rmtree(self.folder, ignore_errors=True)
            with contextlib.suppress(OSError):
                os.remove(self.output)

    def __enter__(self):
        return self.start() if self.process is None else self

    def __exit__(self, *_):
        self.close()

    # what it says of itself

    def said(self):
        with contextlib.suppress(OSError):
            with open(self.output, errors="replace") as file:
                return file.read()[-6000:]
        return ""

    @property
    def plain(self):
        return self.endpoints["plain"][0]

    @property
    def https(self):
        return self.endpoints["https"][0]

    def port(self, scheme="plain"):
        return int(self.endpoints[scheme][0].rsplit(":", 1)[1].rstrip("/"))

    @property
    def admin(self):
        with open(os.path.join(self.data, "admin.json")) as file:
            return json.load(file)

    @property
    def credentials(self):
        if not self.known_credentials:  # remembered: a load goes on while the folder is replaced
            admin = self.admin
            self.known_credentials = admin["registryUsername"], admin["registryPassword"]
        return self.known_credentials

    @property
    def ca(self):
        return os.path.join(self.data, "tls", "ca.pem")

    # its processes

    def own_pids(self):
        """The service's processes: the main one and its helper, without PostgreSQL's and the containers'."""
        pids, spared = [self.process.pid], leftovers.shims(self.data)
        for pid in sweep.processes_of(self.data):
            if pid in spared:
                continue
            with contextlib.suppress(OSError):
                if os.path.basename(os.readlink(f"/proc/{pid}/exe")).startswith("sundog") and pid not in pids:
                    pids.append(pid)
        return pids

    def server_pid(self):
        """The process that answers: of the service's processes the one with the most threads."""

        def threads(pid):
            with contextlib.suppress(OSError):
                return len(os.listdir(f"/proc/{pid}/task"))
            return 0

        return max(self.own_pids(), key=threads)

    def postmaster_pid(self):
        """Process id of the embedded PostgreSQL, or None."""
        for folder, _, files in os.walk(self.data):
            if "postmaster.pid" in files:
                with contextlib.suppress(OSError, ValueError):
                    with open(os.path.join(folder, "postmaster.pid")) as file:
                        pid = int(file.readline())
                    os.kill(pid, 0)
                    return pid
        return None

    def kill_postmaster(self):
        """kill -9 of PostgreSQL's first process; returns when those are gone, too, that go on answering until they notice."""
        pid = self.postmaster_pid()
        if not pid:
            return
        children = sweep.children_of(pid)
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not any(sweep.is_alive(child) for child in children), "PostgreSQL's processes have ended")

    def memory_kib(self, field="RssAnon"):
        with open(f"/proc/{self.server_pid()}/status") as file:
            for line in file:
                if line.startswith(field + ":"):
                    return int(line.split()[1])
        return 0


def run_tool(*args, build="asan", **options):
    """A command of the program that ends: routes, env, backup…"""
    options = {"env": {**os.environ, "PATH": PATH}, **options}
    return subprocess.run([program(build), *args], capture_output=True, text=True, timeout=HANG_S, **options)
