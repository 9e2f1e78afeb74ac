"""The servers that are compared: Debian's docker-registry, the same with GOGC=800, and Sundog."""

import os
import subprocess
import threading
import time
import urllib.parse

from harness import sweep, web
from harness.postgres import free_port
from harness.server import Sundog, fresh_folder, wait_until

TICKS = os.sysconf("SC_CLK_TCK")


class Usage(threading.Thread):
    """Watches the memory of a server's processes: peak RssAnon, and PostgreSQL's peak PSS."""

    def __init__(self, peer):
        super().__init__(daemon=True)
        self.peer, self.rss_anon_kib, self.pss_kib, self.ended = peer, 0, 0, threading.Event()

    def run(self):
        turn = 0
        while not self.ended.wait(0.1):
            own, database = self.peer.processes()
            # the largest process: docker-registry has two here, of which one works at a time
            self.rss_anon_kib = max([self.rss_anon_kib, *(_field(pid, "status", "RssAnon") for pid in own)])
            if turn % 20 == 0:  # reading smaps costs the server something
                self.pss_kib = max(self.pss_kib, sum(_field(pid, "smaps_rollup", "Pss") for pid in database))
            turn += 1


def _field(pid, name, field):
    try:
        with open(f"/proc/{pid}/{name}") as file:
            for line in file:
                if line.startswith(field + ":"):
                    return int(line.split()[1])
    except OSError:
        pass
    return 0


class Peer:
    """root(tls) and prefix(tls) make URLs; authorization() is what each request carries."""

    def cpu_s(self):
        """CPU seconds of all its processes so far, ended children included."""
        total = 0
        for pid in sum(self.processes(), []):
            try:
                with open(f"/proc/{pid}/stat", "rb") as file:
                    total += sum(map(int, file.read().rsplit(b")", 1)[1].split()[11:15]))
            except OSError:
                pass
        return total / TICKS

    def watch(self):
        self.usage = Usage(self)
        self.usage.start()

    def url(self, tls, path=""):
        return f"{'https' if tls else 'http'}://{self.host(tls)}{path}"

    def registry(self, tls):
        transport = web.Http1(self.ca, f"127.0.0.1:{self.port(tls)}") if tls else web.Http1()
        return web.Registry(self.url(tls), self.prefix(tls), self.credentials, transport)

    def skopeo(self, side):
        out = [f"--{side}tls-verify=false"]
        return out + ([f"--{side}creds", ":".join(self.credentials)] if self.credentials else [])


class DockerRegistry(Peer):
    credentials = None

    def __init__(self, name, env=None):
        self.name, self.env = name, env or {}
        self.folder = fresh_folder("r")
        self.ca = f"{self.folder}/cert.pem"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                        "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
                        "-keyout", f"{self.folder}/key.pem", "-out", self.ca], check=True, capture_output=True)
        self.ports, self.running = {}, []
        # one process serves one address: the TLS one works on the same folder
        for tls in (False, True):
            self.ports[tls] = free_port()
            secure = f"\n  tls:\n    certificate: {self.ca}\n    key: {self.folder}/key.pem" if tls else ""
            config = f"{self.folder}/{'tls' if tls else 'plain'}.yml"
            with open(config, "w") as file:
                file.write(f"version: 0.1\nlog:\n  level: error\n  accesslog:\n    disabled: true\nstorage:\n"
                           f"  filesystem:\n    rootdirectory: {self.folder}/data\n  delete:\n    enabled: true\n"
                           f"  cache:\n    blobdescriptor: inmemory\n"
                           f"http:\n  addr: 127.0.0.1:{self.ports[tls]}\n  secret: bench{secure}\n")
            self.running.append(subprocess.Popen(["docker-registry", "serve", config], stdout=subprocess.DEVNULL,
                                                 stderr=subprocess.DEVNULL, env={**os.environ, **self.env}))
        wait_until(lambda: all(self._answers(tls) for tls in (False, True)), f"{name} answers")

    def _answers(self, tls):
        try:
            return self.registry(tls).get("/v2/").status == 200
        except OSError:
            return False

    def processes(self):
        return [process.pid for process in self.running], []

    def port(self, tls):
        return self.ports[tls]

    def host(self, tls):
        return f"localhost:{self.ports[tls]}"

    def prefix(self, tls):
        return ""

    def authorization(self, tls, name):
        return ""

    def drop_large_files(self):
        _drop_large_files(f"{self.folder}/data")

    def close(self):
        for process in self.running:
            process.terminate()
            process.wait(60)
        subprocess.run(["rm", "-rf", self.folder], check=False)


class OurSundog(Peer):
    name = "sundog"

    def __init__(self):
        self.server = Sundog(["--log-level", "warn"], build="release").start()
        self.credentials = self.server.credentials
        self.ca = self.server.ca
        self.known, self.at = ([], []), 0

    def processes(self):
        """(the service's, PostgreSQL's) — looked up again now and then: backends come and go."""
        if time.monotonic() - self.at > 1:
            own = self.server.own_pids()
            self.known = own, [pid for pid in sweep.processes_of(self.server.data) if pid not in own]
            self.at = time.monotonic()
        return self.known

    def port(self, tls):
        return self.server.port("https" if tls else "plain")

    def host(self, tls):
        return f"sundog.azurecr.localhost:{self.port(tls)}" if tls else f"localhost:{self.port(tls)}"

    def prefix(self, tls):
        return "" if tls else "sundog/"

    def authorization(self, tls, name):
        """A Bearer token, as docker and the others send it."""
        scope = urllib.parse.quote(f"repository:{self.prefix(tls)}{name}:pull,push")
        answer = self.registry(tls).get(f"/oauth2/token?service={self.host(tls)}&scope={scope}")
        return "Bearer " + web.expect(answer, 200).json()["access_token"]

    def drop_large_files(self):
        _drop_large_files(self.server.blobs)

    def close(self):
        self.server.close()


def _drop_large_files(folder):
    """Room on the disk: what was measured is removed, behind the server's back."""
    for path, _, names in os.walk(folder):
        for name in names:
            full = os.path.join(path, name)
            try:
                if os.path.getsize(full) > 32 << 20:
                    os.remove(full)
            except OSError:
                pass
