"""The resource manager by plain HTTP, as the first principal of admin.json, and registries made by it."""

import http.client
import json
import secrets
import time
import urllib.parse

from harness.azure import admin
from harness.server import HANG_S, wait_until
from harness.web import Http1, Registry

GROUP = "tests"
API = "api-version=2023-07-01"
FORM = "application/x-www-form-urlencoded"


class Arm:
    def __init__(self, server):
        self.server, self.first = server, admin(server)
        self.subscription = f"/subscriptions/{self.first['subscriptionId']}"
        self.group = f"{self.subscription}/resourceGroups/{GROUP}"
        self.token = self.sign_in(self.first["clientId"], self.first["clientSecret"])
        self("PUT", self.group, {"location": "eastus"}, wanted=(200, 201))

    def sign_in(self, app_id, secret, resource=None):
        resource = resource or f"https://localhost:{self.server.port('https')}"
        status, said, _ = self.plain("POST", "/adfs/oauth2/token", urllib.parse.urlencode({
            "grant_type": "client_credentials", "client_id": app_id, "client_secret": secret,
            "scope": f"{resource}/.default"}), {"Content-Type": FORM})
        assert status == 200, said
        return json.loads(said)["access_token"]

    def plain(self, method, path, body=None, headers=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port(), timeout=HANG_S)
        try:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            return answer.status, answer.read().decode(), answer.headers
        finally:
            connection.close()

    def __call__(self, method, path, body=None, wanted=(200, 201, 202, 204), token=None):
        """The JSON of the answer, or None; with `.headers` of the last answer kept in self.headers."""
        headers = {"Authorization": f"Bearer {token or self.token}"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        path = path if "api-version=" in path else f"{path}?{API}"
        status, said, self.headers = self.plain(method, path, json.dumps(body) if body is not None else None, headers)
        assert status in wanted, (method, path, status, said)
        self.status = status
        return json.loads(said) if said else None

    def registry(self, name=None, sku="Premium", group=GROUP, **properties):
        """A new registry's resource id."""
        name = name or "r" + secrets.token_hex(6)
        path = f"{self.subscription}/resourceGroups/{group}/providers/Microsoft.ContainerRegistry/registries/{name}"
        self("PUT", path, {"location": "eastus", "sku": {"name": sku}, "properties": {"adminUserEnabled": True, **properties}})
        wait_until(lambda: self("GET", path)["properties"]["provisioningState"] == "Succeeded", "the registry is ready")
        return path

    def patch(self, path, **properties):
        return self("PATCH", path, {"properties": properties})

    def admin_of(self, path):
        said = self("POST", f"{path}/listCredentials")
        return said["username"], said["passwords"][0]["value"]

    def data_plane(self, path, credentials=None):
        """The registry as a client by path reaches it."""
        name = path.rsplit("/", 1)[1].lower()
        return Registry(self.server.plain, f"{name}/", credentials or self.admin_of(path), Http1(), name)

    def operation(self, timeout_s=HANG_S):
        """Follows the operation of the last answer to its end: its JSON."""
        url = self.headers.get("Azure-AsyncOperation") or self.headers["Location"]
        url = url.split("://", 1)[1]
        url = url[url.index("/"):]
        deadline = time.monotonic() + timeout_s
        while True:
            said = self("GET", url, wanted=range(200, 600))
            if isinstance(said, dict) and said.get("status") in ("Succeeded", "Failed", "Canceled"):
                return said
            if self.status != 202 and "status" not in (said or {}):  # Location: its end is the action's own answer
                return {"status": "Failed" if self.status >= 400 else "Succeeded", **(said or {})}
            assert time.monotonic() < deadline, said
            time.sleep(0.1)
