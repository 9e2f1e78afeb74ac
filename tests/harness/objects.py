"""The API of a cluster by plain HTTPS, a load of writers and watchers on it, and what their histories must agree on."""

import base64
import contextlib
import http.client
import json
import os
import random
import socket
import ssl
import threading
import time

from harness.server import HANG_S, fresh_folder

BROKEN = (OSError, http.client.HTTPException)  # what a client sees of a server that is being killed
MERGE = "application/merge-patch+json"


class Api:
    """One per cluster; every thread has a connection of its own."""

    def __init__(self, kubeconfig):
        config = kubeconfig if isinstance(kubeconfig, dict) else yaml_of(kubeconfig)
        cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
        folder = fresh_folder("o")
        self.context = ssl.create_default_context(cadata=decoded(cluster["certificate-authority-data"]))
        for name in ("certificate", "key"):
            with open(os.path.join(folder, name), "w", encoding="ascii") as file:
                file.write(decoded(user[f"client-{name}-data"]))
        self.context.load_cert_chain(os.path.join(folder, "certificate"), os.path.join(folder, "key"))
        self.host, _, port = cluster["server"].removeprefix("https://").rstrip("/").rpartition(":")
        self.port, self.local = int(port), threading.local()

    def connection(self):
        return http.client.HTTPSConnection(self.host, self.port, context=self.context, timeout=HANG_S)

    def __call__(self, method, path, body=None, kind="application/json"):
        """(status, object); an exception of BROKEN when the outcome is unknown."""
        mine = getattr(self.local, "connection", None) or self.connection()
        self.local.connection = None
        try:
            mine.request(method, path, None if body is None else json.dumps(body), {"Content-Type": kind})
            answer = mine.getresponse()
            text = answer.read()
        except BROKEN:
            mine.close()
            raise
        self.local.connection = mine
        return answer.status, json.loads(text) if text[:1] in (b"{", b"[") else text.decode()

    def watch(self, path, event, begun=lambda connection: None):
        """Calls event(kind, object) until it answers True or the stream ends."""
        mine = self.connection()
        try:
            mine.request("GET", path)
            begun(mine.sock)
            answer = mine.getresponse()
            assert answer.status == 200, (answer.status, answer.read())
            while True:
                line = answer.readline()
                if not line.endswith(b"\n"):  # the end, perhaps of a server that was killed within a line
                    return
                one = json.loads(line)
                if event(one["type"], one["object"]):
                    return
        finally:
            mine.close()


def decoded(text):
    return base64.b64decode(text).decode()


def yaml_of(text):
    import yaml

    return yaml.safe_load(text)


def revision(thing):
    return int(thing["metadata"]["resourceVersion"])


class Write:
    """What one writer asked and what it was told. revision None: the outcome is unknown."""

    def __init__(self, verb, name, value):
        self.verb, self.name, self.value, self.revision, self.uid = verb, name, value, None, None
        self.asked, self.told = time.monotonic(), None

    def __repr__(self):
        return f"{self.verb} {self.name}={self.value} @{self.revision}"


class Writers:
    """Threads that create, change and delete config maps of names they share, with all that was promised."""

    def __init__(self, api, namespace, threads=6, names=8):
        self.api, self.path = api, f"/api/v1/namespaces/{namespace}/configmaps"
        self.names = [f"k{n}" for n in range(names)]
        self.writes, self.unknown, self.statuses, self.failures = [], [], {}, []
        self.lock, self.stopped = threading.Lock(), threading.Event()
        self.threads = [threading.Thread(target=self.run, args=(n,), daemon=True) for n in range(threads)]

    def start(self):
        for thread in self.threads:
            thread.start()
        return self

    def stop(self):
        self.stopped.set()
        for thread in self.threads:
            thread.join(HANG_S)
            assert not thread.is_alive(), "a writer hangs"
        assert not self.failures, self.failures[0]

    def count(self):
        with self.lock:
            return len(self.writes)

    def run(self, number):
        chance, serial = random.Random(number), 0
        try:
            while not self.stopped.is_set():
                serial += 1
                self.write(chance, f"{number}-{serial}")
        except Exception as error:  # the test shows it
            self.failures.append(error)

    def write(self, chance, value):
        name, labels = chance.choice(self.names), {"half": chance.choice(["a", "b"])}
        verb = chance.choices(["create", "patch", "delete"], [3, 8, 1])[0]
        one = Write(verb, name, value if verb != "delete" else None)
        path = f"{self.path}/{name}"
        try:
            if verb == "create":
                body = {"metadata": {"name": name, "labels": labels}, "data": {"v": value}}
                status, said = self.api("POST", self.path, body)
            elif verb == "patch":
                status, said = self.api("PATCH", path, {"metadata": {"labels": labels}, "data": {"v": value}}, MERGE)
            else:
                status, said = self.api("DELETE", path)
        except BROKEN:
            status, said = 0, None
            time.sleep(0.02)
        one.told = time.monotonic()
        with self.lock:
            self.statuses[status] = self.statuses.get(status, 0) + 1
            if status in (200, 201):
                one.uid = said["details"]["uid"] if verb == "delete" else said["metadata"]["uid"]
                one.revision = None if verb == "delete" else revision(said)
                self.writes.append(one)
            elif status in (0, 500, 503, 504):
                self.unknown.append(one)
        if status in (0, 500, 503, 504):
            time.sleep(0.02)


class Watcher:
    """Lists, then watches from there, again and again; the events it got, in order."""

    def __init__(self, api, path, selector=""):
        self.api, self.path, self.selector = api, path, selector
        self.query = f"labelSelector={selector}&" if selector else ""
        self.runs, self.failures, self.stopped = [], [], threading.Event()  # runs: (list, events)
        self.last, self.socket = 0, None
        self.thread = threading.Thread(target=self.run, daemon=True)

    def start(self):
        self.thread.start()
        return self

    def event(self, events, kind, thing):
        if kind == "ERROR":
            return True
        self.last = max(self.last, revision(thing))
        if kind != "BOOKMARK":
            events.append((kind, thing["metadata"]["name"], revision(thing), thing))
        return False

    def begun(self, connected):
        self.socket = connected
        if self.stopped.is_set():
            self.hang_up()

    def hang_up(self):
        with contextlib.suppress(OSError):
            if self.socket:  # below TLS: ssl's own would have the reader take what is still to come for plain text
                socket.socket.shutdown(self.socket, socket.SHUT_RDWR)

    def run(self):
        while not self.stopped.is_set():
            try:
                status, listed = self.api("GET", f"{self.path}?{self.query}")
                if status != 200:
                    time.sleep(0.02)
                    continue
                events = []
                self.runs.append((listed, events))
                self.last = revision(listed)
                self.api.watch(f"{self.path}?{self.query}watch=1&allowWatchBookmarks=true&resourceVersion="
                               f"{revision(listed)}",
                               lambda kind, thing, events=events: self.event(events, kind, thing), self.begun)
            except BROKEN:
                time.sleep(0.02)
            except Exception as error:
                self.failures.append(error)
                return

    def stop(self):
        self.stopped.set()
        self.hang_up()
        self.thread.join(HANG_S)
        assert not self.thread.is_alive(), "a watcher hangs"
        assert not self.failures, self.failures[0]


def state_after(listed, events):
    """{name: (uid, revision, value)} of a list with events applied."""
    state = {one["metadata"]["name"]: one for one in listed["items"]}
    for kind, name, _, thing in events:
        if kind == "ADDED":
            assert name not in state, f"{name} was added twice"
            state[name] = thing
        elif kind == "MODIFIED":
            assert name in state, f"{name} was changed before it was added"
            state[name] = thing
        else:
            assert state.pop(name, None) is not None, f"{name} was deleted before it was added"
    return {name: (one["metadata"]["uid"], one["metadata"]["resourceVersion"], one.get("data"))
            for name, one in state.items()}


def check_watcher(watcher):
    """Within each run: revisions only rise, every event is once there and fits the state before it."""
    for listed, events in watcher.runs:
        revisions = [revision(listed)] + [event[2] for event in events]
        assert all(a < b for a, b in zip(revisions, revisions[1:])), "events are doubled or out of order"
        state_after(listed, events)
        if watcher.selector:
            key, value = watcher.selector.split("=")
            for kind, name, _, thing in events:
                assert kind == "DELETED" or thing["metadata"]["labels"][key] == value, (kind, name)


def check_promises(writers, watcher):
    """Every write that was promised is an event, exactly once and with what it wrote; no event is of nobody; and
    what was promised before something else was asked for has the smaller revision."""
    covered = [(revision(listed), max([revision(listed)] + [event[2] for event in events]), events)
               for listed, events in watcher.runs]
    promised = {write.revision: write for write in writers.writes if write.revision}
    assert len(promised) == sum(1 for write in writers.writes if write.revision), "two writes have one revision"
    unknown = {write.value for write in writers.unknown}
    found = 0
    for low, high, events in covered:
        by_revision = {event[2]: event for event in events}
        for number, write in promised.items():
            if low < number <= high:
                kind, name, _, thing = by_revision.get(number, (None,) * 4)
                assert name == write.name and kind in ("ADDED", "MODIFIED"), f"{write} is no event"
                assert thing["data"]["v"] == write.value, (write, thing)
                found += 1
        for kind, name, number, thing in events:
            if kind != "DELETED" and number not in promised and name in writers.names:
                assert thing["data"]["v"] in unknown, f"an event of nobody: {kind} {name} {number}"
    in_time = sorted((write for write in writers.writes if write.revision), key=lambda write: write.told)
    asked = sorted(in_time, key=lambda write: write.asked)
    highest, told = 0, iter(in_time)
    upcoming = next(told, None)
    for write in asked:
        while upcoming is not None and upcoming.told < write.asked:
            highest = max(highest, upcoming.revision)
            upcoming = next(told, None)
        assert write.revision > highest, f"{write} was asked for after {highest} was promised"
    return found


def check_kept(writers, listed):
    """After all: what is there is what was promised last, or a write of unknown outcome that came later."""
    state = {one["metadata"]["name"]: one for one in listed["items"]}
    unknown = {write.value for write in writers.unknown}
    deleted = {write.uid for write in writers.writes if write.verb == "delete"}
    for name in writers.names:
        writes = [write for write in writers.writes if write.name == name]
        there = state.get(name)
        last = max((write for write in writes if write.revision), key=lambda write: write.revision, default=None)
        if there is not None:
            assert there["metadata"]["uid"] not in deleted, f"{name} was deleted"
            if last is not None and revision(there) != last.revision:
                assert revision(there) > last.revision and there["data"]["v"] in unknown, (last, there)
        elif last is not None:
            maybe = any(write.verb == "delete" and write.name == name for write in writers.unknown)
            assert last.uid in deleted or maybe, f"{last} was promised and is gone"
