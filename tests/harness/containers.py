"""Container groups by the resource manager, images with a shell in them, and what containers leave on a machine."""

import base64
import json
import os
import secrets
import socket
import subprocess

from harness import images, web
from harness.leftovers import leftovers, nothing_left
from harness.manager import Arm
from harness.server import fresh_folder, wait_until

VERSION = "2023-05-01"
SHELL = "busybox"  # the image that shell_image pushes


# images


def applets():
    said = subprocess.run(["/bin/busybox", "--list"], capture_output=True, text=True, check=True)
    return said.stdout.split()


def shell_files():
    """A root filesystem with Debian's static busybox under all its names."""
    with open("/bin/busybox", "rb") as file:
        files = {"bin/busybox": file.read()}
    return files, {f"bin/{name}": "busybox" for name in applets() if name != "busybox"}


def push_shell(registry, repository=SHELL, tag="1", **config):
    """Pushes an image of one layer by HTTP; config: members of the image's config."""
    files, links = shell_files()
    files.update({"etc/passwd": b"root:x:0:0:root:/root:/bin/sh\napp:x:1000:1000::/home/app:/bin/sh\n",
                  "etc/group": b"root:x:0:\napp:x:1000:\nwww:x:33:app\n"})
    return push_image(registry, repository, tag, [images.tar_of(files, links, folders=("tmp", "root", "home/app"))],
                      {"Cmd": ["/bin/sh"], "Env": ["PATH=/bin"], **config})


def push_image(registry, repository, tag, tars, config, **platform):
    target = registry.repository(repository)
    layers = []
    for tar in tars:
        data = images.packed(tar)
        target.blob(data)
        layers.append(web.descriptor(data, web.OCI_LAYER + "+gzip"))
    text = json.dumps({"architecture": "amd64", "os": "linux", "config": config, **platform,
                       "rootfs": {"type": "layers", "diff_ids": [web.digest_of(tar) for tar in tars]}}).encode()
    target.blob(text)
    manifest = {"schemaVersion": 2, "mediaType": web.OCI_MANIFEST, "layers": layers,
                "config": web.descriptor(text, web.OCI_CONFIG)}
    return web.expect(target.put(tag, json.dumps(manifest).encode()), 201)


# container groups


class Groups(Arm):
    """Container groups of one resource group."""

    def __init__(self, server, group="containers", **who):
        super().__init__(server, **who)
        self.server = server
        if not who:
            self.group(group)
        self.folder = f"{self.sub}/resourceGroups/{group}/providers/Microsoft.ContainerInstance/containerGroups"
        self.image = f"sundog.azurecr.io/{SHELL}:1"

    def __call__(self, method, path, body=None, *, version=VERSION, **more):
        return super().__call__(method, path, body, version=version, **more)

    def container(self, script=None, name="main", **properties):
        """script: for sh -c; None: the image's own command."""
        given = {"image": self.image, "resources": {"requests": {"cpu": 0.5, "memoryInGB": 0.5}}, **properties}
        if script is not None:
            given["command"] = ["/bin/sh", "-c", script]
        return {"name": name, "properties": given}

    def body(self, containers, **properties):
        return {"location": "eastus", "properties": {"osType": "Linux", "containers": containers, **properties}}

    def create(self, script=None, name=None, *, container=None, containers=None, wait=True, statuses=(200, 201), **properties):
        """A group; its name. script: of its only container."""
        name = name or "g" + secrets.token_hex(4)
        containers = containers or [self.container(script, **(container or {}))]
        properties.setdefault("restartPolicy", "Never")
        self.answer = web.expect(self("PUT", self.path(name), self.body(containers, **properties)), *statuses)
        if wait:
            self.wait_provisioned(name)
        return name

    def path(self, name, rest=""):
        return f"{self.folder}/{name}{rest}"

    def show(self, name):
        return self.get(self.path(name))["properties"]

    def view(self, name, container=0, kind="containers"):
        return self.show(name)[kind][container]["properties"].get("instanceView", {})

    def state(self, name):
        return self.show(name)["instanceView"].get("state")

    def events(self, name, container=0):
        return [event["name"] for event in self.view(name, container).get("events", [])]

    def wait_provisioned(self, name, state="Succeeded"):
        def reached():
            properties = self.show(name)
            assert properties["provisioningState"] in ("Pending", "Creating", "Succeeded", "Failed"), properties
            assert properties["provisioningState"] != "Failed" or state == "Failed", json.dumps(properties)
            return properties["provisioningState"] == state

        wait_until(reached, f"group {name} is {state}")
        return name

    def wait_state(self, name, *states):
        try:
            return wait_until(lambda: self.state(name) in states and self.state(name), f"{name} is {states}")
        except AssertionError as error:
            raise AssertionError(f"{error}; it is {json.dumps(self.show(name))}; {self.server.said()}") from error

    def ended(self, name, container=0):
        """The state of a container that has ended."""
        def current():
            state = self.view(name, container).get("currentState", {})
            return state if state.get("state") == "Terminated" else None

        try:
            return wait_until(current, f"{name} ends")
        except AssertionError as error:
            raise AssertionError(f"{error}; it is {json.dumps(self.show(name))}; {self.server.said()}") from error

    def logs(self, name, container="main", **query):
        asked = "".join(f"&{key}={value}" for key, value in query.items())
        return self.get(self.path(name, f"/containers/{container}/logs?api-version={VERSION}{asked}"))["content"]

    def wait_logs(self, name, text, container="main"):
        return wait_until(lambda: (said := self.logs(name, container)) and text in said and said,
                          f"{name} says {text!r}; it said {self.logs(name, container)!r}")

    def run(self, script, **more):
        """Runs to its end: (exit code, output)."""
        name = self.create(script, **more)
        state = self.ended(name)
        said = self.logs(name)
        self.delete(name)
        return state["exitCode"], said

    def delete(self, name):
        answer = self("DELETE", self.path(name))
        web.expect(answer, 200, 202, 204)
        if answer.status == 202:
            self.wait(answer)
        wait_until(lambda: self("GET", self.path(name)).status == 404, f"{name} is gone")

    def delete_all(self):
        """And nothing is left of them."""
        for one in self.get(self.folder)["value"]:
            self.delete(one["name"])
        wait_nothing_left(self.server.data)

    def gate(self):
        """What keeps a container waiting: (volumes, volumeMounts, for its script: goes on once it is open, opens it)."""
        share = "gate" + secrets.token_hex(4)
        volumes = [{"name": "gate", "azureFile": {"shareName": share, "storageAccountName": "acct", "storageAccountKey": "a2V5"}}]

        def open_it():
            folder = f"{self.server.data}/shares/acct/{share}"
            wait_until(lambda: os.path.isdir(folder), "the share is there")
            with open(f"{folder}/open", "w"):
                pass
        return volumes, [{"name": "gate", "mountPath": "/gate"}], "until test -e /gate/open; do sleep 0.1; done", open_it

    def address(self, name):
        return self.show(name)["ipAddress"]["ip"]

    def exec(self, name, command, container="main", rows=24, cols=80):
        answer = web.expect(self("POST", self.path(name, f"/containers/{container}/exec"), {
            "command": command, "terminalSize": {"rows": rows, "cols": cols}}), 200).json()
        return Terminal(self.server, answer["webSocketUri"], answer["password"])


class Terminal:
    """The WebSocket of exec and attach, as az speaks it: the password in a text frame, then bytes both ways."""

    def __init__(self, server, uri, password):
        import ssl

        import websocket

        self.socket = websocket.create_connection(uri, sslopt={"ca_certs": server.ca} if uri.startswith("wss") else
                                                  {"cert_reqs": ssl.CERT_NONE}, timeout=120)
        self.socket.send(password)
        self.said = b""

    def send(self, text):
        import websocket

        self.socket.send(text if isinstance(text, bytes) else text.encode(), websocket.ABNF.OPCODE_BINARY)

    def until(self, text):
        """All that was said, once it holds text."""
        text = text if isinstance(text, bytes) else text.encode()
        while text not in self.said:
            opcode, data = self.socket.recv_data()
            assert opcode != 8, f"closed ({data!r}) after {self.said!r}"
            self.said += data
        return self.said.decode(errors="replace")

    def rest(self):
        """All that was said when the server closes: (text, close code)."""
        while True:
            opcode, data = self.socket.recv_data()
            if opcode == 8:
                return self.said.decode(errors="replace"), int.from_bytes(data[:2], "big")
            self.said += data

    def close(self):
        self.socket.close()


# what containers leave behind


def wait_nothing_left(data):
    try:
        wait_until(lambda: nothing_left(data), "nothing of the containers is left", pause_s=0.1)
    except AssertionError as error:
        raise AssertionError(f"{error}: {leftovers(data)}") from error


# the network


def reaches(address, port, timeout_s=2, udp=False):
    """Does something accept a TCP connection there? A refusal and silence are both no."""
    try:
        with socket.create_connection((address, port), timeout_s):
            return True
    except OSError:
        return False


def fetch(address, port=80, path="/"):
    """The body of a GET, once somebody answers."""
    import http.client

    def get():
        connection = http.client.HTTPConnection(address, port, timeout=10)
        try:
            connection.request("GET", path)
            return connection.getresponse().read().decode()
        except OSError:
            return None
        finally:
            connection.close()

    return wait_until(get, f"{address}:{port} answers")


def base64_of(text):
    return base64.b64encode(text.encode()).decode()


def shell_layout(folder=None):
    """An OCI layout with the image `shell`, for skopeo."""
    files, links = shell_files()
    layout = images.Layout(folder or f"{fresh_folder('l')}/layout")
    described = layout.add_image([images.tar_of(files, links, folders=("tmp",))], {"Cmd": ["/bin/sh"], "Env": ["PATH=/bin"]})
    layout.name(described, "shell")
    return layout
