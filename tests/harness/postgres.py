"""A PostgreSQL of the test, for servers that are given --database."""

import glob
import os
import pwd
import random
import shutil
import socket
import subprocess

from harness import sweep
from harness.server import fresh_folder, wait_until

PORTS = range(15000, 30000)  # none that the kernel gives to whoever asks for any, nor those of clusters and their services
given = set()


def free_port():
    """For whoever cannot be told to take any: nobody else has it, and nobody gets it by chance before it is taken."""
    while True:
        port = random.SystemRandom().choice(PORTS)
        with socket.socket() as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as servers do: what has just been closed is free
            try:
                sock.bind(("", port))
            except OSError:
                continue
        if port not in given:
            given.add(port)
            return port


def bin_dir():
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin"), key=lambda path: int(path.split("/")[4]))
    assert found, "there is no PostgreSQL below /usr/lib/postgresql"
    return found[-1]


class Postgres:
    def __init__(self):
        self.folder = fresh_folder("p")
        self.port = free_port()
        self.as_user = []
        if os.geteuid() == 0:
            user = pwd.getpwnam("postgres")
            os.chown(self.folder, user.pw_uid, user.pw_gid)
            self.as_user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
        self._run(f"{bin_dir()}/initdb", "-D", f"{self.folder}/data", "-U", "sundog", "-A", "trust", "-E", "UTF8",
                  "--locale=C.UTF-8", "-N")
        self.process = None
        self.start()
        self.query("create database sundog", database="postgres")

    def _run(self, *command):
        return subprocess.run([*self.as_user, *command], check=True, capture_output=True, text=True, cwd="/")

    def start(self):
        self.log = open(f"{self.folder}.log", "ab")
        self.process = subprocess.Popen(
            [*self.as_user, f"{bin_dir()}/postgres", "-D", f"{self.folder}/data", "-k", self.folder, "-p",
             str(self.port), "-c", "listen_addresses=127.0.0.1", "-c", "max_connections=200"],
            stdout=self.log, stderr=self.log, stdin=subprocess.DEVNULL, cwd="/")
        wait_until(lambda: subprocess.run([f"{bin_dir()}/pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.port)],
                                          check=False).returncode == 0, "PostgreSQL is ready")

    @property
    def url(self):
        return f"postgresql://sundog@127.0.0.1:{self.port}/sundog"

    def query(self, sql, database="sundog"):
        """Rows of text columns."""
        done = self._run(f"{bin_dir()}/psql", "-X", "-q", "-A", "-t", "-F", "\t", "-h", "127.0.0.1", "-p",
                         str(self.port), "-U", "sundog", "-d", database, "-v", "ON_ERROR_STOP=1", "-c", sql)
        return [line.split("\t") for line in done.stdout.splitlines()]

    def stop(self, mode="fast"):
        signals = {"fast": subprocess.signal.SIGINT, "kill": subprocess.signal.SIGKILL}
        self.process.send_signal(signals[mode])
        self.process.wait(60)
        # those of a killed one live on until they notice, answer meanwhile, and keep a new one from starting
        wait_until(lambda: not sweep.processes_of(f"{self.folder}/data"), "all its processes have ended")
        self.log.close()

    def close(self):
        if self.process.poll() is None:
            self.stop()
        sweep.end_all(self.folder)
        shutil.rmtree(self.folder, ignore_errors=True)
        if os.path.exists(f"{self.folder}.log"):
            os.remove(f"{self.folder}.log")
