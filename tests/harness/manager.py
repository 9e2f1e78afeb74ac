"""The resource manager as a plain HTTPS client sees it, with tokens of the first principal or of others: exact
headers and statuses, absolute URLs as given. (harness/arm.py: registries made in one line.)"""

import json
import time
import urllib.parse

from harness import web
from harness.server import HANG_S

VERSION = "2021-04-01"
OWNER = "8e3af657-a8ff-443c-a75c-2fe8c4bcb635"
CONTRIBUTOR = "b24988ac-6180-42a0-ab88-20f7382dd24c"
READER = "acdd72a7-3385-48ef-bd42-f606fba81ae7"


class Arm:
    def __init__(self, server, client_id=None, secret=None):
        self.server, self.http = server, web.Http1(server.ca)
        self.admin = server.admin
        self.sub = f"/subscriptions/{self.admin['subscriptionId']}"
        self.token = self.sign_in(client_id or self.admin["clientId"], secret or self.admin["clientSecret"])

    @property
    def base(self):
        """Where the server listens now: a restart changes its port."""
        return f"https://localhost:{self.server.port('https')}"

    def sign_in(self, client_id, secret, resource=""):
        form = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": secret,
                "scope": f"{self.base}{resource}/.default"}
        answer = self.http("POST", f"{self.base}/adfs/oauth2/token", urllib.parse.urlencode(form).encode(),
                           [("Content-Type", "application/x-www-form-urlencoded")])
        return web.expect(answer, 200).json()["access_token"]

    def __call__(self, method, path, body=None, *, headers=(), version=VERSION, token=None):
        """path below the base, or an absolute URL as the server gave it."""
        url = path if path.startswith("http") else self.base + urllib.parse.quote(path, safe="/?&=$%(),")
        if version and "api-version=" not in url:
            url += ("&" if "?" in url else "?") + f"api-version={version}"
        shown = [("Authorization", f"Bearer {token or self.token}")] if token != "" else []
        if body is not None:
            shown.append(("Content-Type", "application/json"))
            body = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.http(method, url, body, [*shown, *headers])

    def get(self, path, *statuses, **options):
        return web.expect(self("GET", path, **options), *(statuses or (200,))).json()

    def put(self, path, body, *statuses):
        return web.expect(self("PUT", path, body), *(statuses or (200, 201))).json()

    def group(self, name, location="eastus", **more):
        return self.put(f"{self.sub}/resourceGroups/{name}", {"location": location, **more})

    def registry(self, group, name, sku="Standard"):
        path = f"{self.sub}/resourceGroups/{group}/providers/Microsoft.ContainerRegistry/registries/{name}"
        return self.put(path, {"location": "eastus", "sku": {"name": sku}})

    def wait(self, answer):
        """Polls the Location of a 202 until it ends; the last answer."""
        deadline = time.monotonic() + HANG_S
        while answer.status == 202:
            assert answer["Retry-After"] == "1", answer
            assert time.monotonic() < deadline, answer
            time.sleep(0.2)
            answer = self("GET", answer["Location"], version=None)
        return answer

    def all(self, path):
        """All values of a list, page by page; and how many pages."""
        values, pages = [], 0
        while path:
            page = self.get(path)
            values += page["value"]
            pages, path = pages + 1, page.get("nextLink")
        return values, pages


def refused(answer, status, code, *words):
    """The answer is this refusal as Resource Manager writes it."""
    web.expect(answer, status)
    error = answer.json()["error"]
    assert error["code"] == code and error["message"], answer
    for word in words:
        assert word in error["message"], f"no {word!r} in {answer!r}"
    return error
