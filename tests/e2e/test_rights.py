"""The rights matrix: every route × everybody. What is expected comes from two files of their own,
tests/rights/roles.json (Azure's published role definitions) and tests/rights/routes.txt (the operation that
Azure's documents name for each request), never from the program's permission columns. The last test flips each
route's permission in turn and demands that the matrix notices.

A line of routes.txt:   METHOD PATTERN | operation | status when allowed [| body [| placeholder=value]]
  operation   Namespace/…/verb; or public; or signed-in (any valid token); or sees (any right at, above or below
              the scope: lists show only what one may see); or directory-read, directory-write (docs/auth.md)
  status      of the answer to somebody allowed, with the placeholders below and that body
"""

import fnmatch
import http.client
import json
import os
import re
import subprocess
import time
import urllib.parse
import uuid

import pytest

from harness.azure import admin
from harness.keys import Signer, claims_of
from harness.machine import TOP, need
from harness.server import HANG_S, Sundog

RIGHTS = os.path.join(TOP, "tests", "rights")
BEARERS = ("none", "expired", "forged", "wrong tenant")
GROUP, REGISTRY = "rights", "rightsregistry"
ELSEWHERE = {"kubernetes",  # behind doors of their own, by their own rights (RBAC): test_kubernetes_*.py
             "console"}  # by a browser's session: test_console.py asks every route without one


class Mutant(Sundog):
    """The server of tests/rights/mutant.c."""

    def command(self):
        command = super().command()
        return [os.path.join(os.path.dirname(command[0]), "mutant"), *command[1:]]


def roles():
    with open(f"{RIGHTS}/roles.json") as file:
        return {name: role for name, role in json.load(file).items() if name != "_"}


class Route:
    def __init__(self, service, index, method, pattern, access):
        self.service, self.index, self.method, self.pattern, self.access = service, index, method, pattern, access

    @property
    def key(self):
        return f"{self.method} {self.pattern}"


def routes_of(program):
    """The program's own list, for completeness: its permission column is not looked at."""
    text = subprocess.run([program, "routes"], capture_output=True, text=True, check=True).stdout
    found, service, index = [], None, 0
    for line in text.splitlines():
        if line.startswith("## "):
            service, index = line[3:], 0
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        if len(cells) == 5 and cells[0].isupper() and service not in ELSEWHERE:
            found.append(Route(service, index, cells[0], cells[1].strip("`"), "public" in cells[3]))
            index += 1
    return found


class Expected:
    def __init__(self, line):
        cells = [cell.strip() for cell in line.split(" | ")]
        self.key = cells[0]
        self.operation, self.status = cells[1], int(cells[2])
        self.body = cells[3] if len(cells) > 3 and cells[3] else None
        self.values = dict([cells[4].split("=")]) if len(cells) > 4 else {}


def expectations():
    with open(f"{RIGHTS}/routes.txt") as file:
        lines = [line.rstrip("\n") for line in file if line.strip() and not line.startswith("#")]
    found = {}
    for line in lines:
        one = Expected(line)
        assert one.key not in found, f"twice in routes.txt: {one.key}"
        found[one.key] = one
    return found


def allows(role, operation):
    """Azure's rule: some action matches and no notAction does; without case, * is any text."""
    def matches(patterns):
        return any(fnmatch.fnmatchcase(operation.lower(), pattern.lower()) for pattern in patterns)
    return matches(role["actions"]) and not matches(role["notActions"])


class World:
    """The server, everybody who asks, and what they show."""

    def __init__(self, server):
        self.server, self.first = server, admin(server)
        self.subscription = self.first["subscriptionId"]
        self.base = f"https://localhost:{server.port('https')}"
        self.owner = self.token(self.first["clientId"], self.first["clientSecret"])
        self.graph_owner = self.token(self.first["clientId"], self.first["clientSecret"], "graph")
        self.arm("PUT", f"/subscriptions/{self.subscription}/resourceGroups/{GROUP}", {"location": "eastus"}, 201)
        self.arm("PUT", f"/subscriptions/{self.subscription}/resourceGroups/elsewhere", {"location": "eastus"}, 201)
        self.registry = f"/subscriptions/{self.subscription}/resourceGroups/{GROUP}/providers/Microsoft.ContainerRegistry/registries/{REGISTRY}"
        self.arm("PUT", self.registry, {"location": "eastus", "sku": {"name": "Standard"}}, 201)
        subscription = f"/subscriptions/{self.subscription}"
        self.people = {"Owner": (self.first["clientId"], self.first["clientSecret"])}
        self.role_of = {"Owner": "Owner"}
        for who, role, scope in (("Reader", "Reader", subscription), ("Reader of all", "Reader", ""), ("AcrPull", "AcrPull", self.registry),
                                 ("AcrPush", "AcrPush", self.registry),
                                 ("Contributor elsewhere", "Contributor", f"{subscription}/resourceGroups/elsewhere")):
            self.people[who] = self.principal(who, role, scope)
            self.role_of[who] = role
        self.signer = Signer(server)
        self.arm_tokens = {who: self.token(*pair) for who, pair in self.people.items()}
        self.graph_tokens = {who: self.token(*pair, "graph") for who, pair in self.people.items()}
        self.registry_token = self.data_plane_token()

    def call(self, method, path, body=None, headers=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port(), timeout=HANG_S)
        data = body if isinstance(body, (str, bytes, type(None))) else json.dumps(body)
        kind = {"Content-Type": "application/json"} if data is not None else {}
        try:
            connection.request(method, path, data, {**kind, **(headers or {})})
            answer = connection.getresponse()
            endless = answer.getheader("Content-Type") == "application/x-ndjson"
            return answer.status, b"" if endless else answer.read()
        finally:
            connection.close()

    def token(self, app, secret, resource=""):
        resource = f"{self.base}/{resource}".rstrip("/") + ("/" if resource == "graph" else "")
        status, body = self.call("POST", "/adfs/oauth2/token", "&".join((
            "grant_type=client_credentials", f"client_id={app}", f"client_secret={secret}", f"scope={resource}/.default")),
            {"Content-Type": "application/x-www-form-urlencoded"})
        assert status == 200, body
        return json.loads(body)["access_token"]

    def arm(self, method, path, body, *wanted):
        status, said = self.call(method, f"{path}?api-version=2022-04-01", body, {"Authorization": f"Bearer {self.owner}"})
        assert status in wanted, (status, said)

    def graph(self, path, body):
        status, said = self.call("POST", f"/graph/v1.0/{path}", body, {"Authorization": f"Bearer {self.graph_owner}"})
        assert status in (200, 201), (status, said)
        return json.loads(said)

    def principal(self, name, role, scope):
        app = self.graph("applications", {"displayName": name})
        principal = self.graph("servicePrincipals", {"appId": app["appId"]})
        secret = self.graph(f"applications/{app['id']}/addPassword", {"passwordCredential": {"displayName": "test"}})
        role_id = f"/subscriptions/{self.subscription}/providers/Microsoft.Authorization/roleDefinitions/{roles()[role]['id']}"
        self.arm("PUT", f"{scope}/providers/Microsoft.Authorization/roleAssignments/{uuid.uuid4()}",
                 {"properties": {"roleDefinitionId": role_id, "principalId": principal["id"]}}, 201)
        return app["appId"], secret["secretText"]

    def data_plane_token(self):
        status, said = self.call(
            "GET", f"/oauth2/token?service=localhost&scope=repository:{REGISTRY}/app:pull,push,delete,metadata_read,metadata_write"
            "&scope=registry:catalog:*", headers={"Authorization": basic(self.people["Owner"])})
        assert status == 200, said
        return json.loads(said)["access_token"]

    # what somebody shows

    def spoilt(self, who, token):
        claims = claims_of(token)
        if who == "expired":
            return self.signer.sign({**claims, "exp": int(time.time()) - 600, "nbf": int(time.time()) - 7200})
        if who == "forged":
            return self.signer.sign(claims, forged=True)
        return self.signer.sign({**claims, "tid": str(uuid.uuid4()), "iss": f"{self.base}/{uuid.uuid4()}/v2.0"})

    def authorization(self, service, who):
        if who == "none":
            return {}
        if service == "registry":
            shown = basic(self.people[who]) if who in self.people else f"Bearer {self.spoilt(who, self.registry_token)}"
            return {"Authorization": shown}
        tokens = self.graph_tokens if service == "graph" else self.arm_tokens
        return {"Authorization": f"Bearer {tokens[who] if who in tokens else self.spoilt(who, tokens['Owner'])}"}

    # what is asked

    def path(self, route, expected):
        values = {"subscription": self.subscription, "group": GROUP, "registry": REGISTRY, "name+": f"{REGISTRY}/app",
                  "tenant": self.first["tenantId"],
                  "scope+": f"{self.subscription}/resourceGroups/{GROUP}", "path+": f"{self.subscription}/nothere/x",
                  "digest": "sha256:" + "0" * 64, "id": str(uuid.UUID(int=7)), "provider": "Microsoft.ContainerRegistry",
                  "location": "eastus", "version": "v1.0", "other": str(uuid.UUID(int=8))}
        if route.service != "registry":
            values["name+"] = "nothere"
        values.update(expected.values)
        path = re.sub(r"\{([^}]*)\}", lambda match: values.get(match.group(1), "nothere"), route.pattern)
        return path if route.service == "registry" else f"{path}?api-version=2022-04-01"

    def ask(self, route, expected, who):
        status, _ = self.call(route.method, self.path(route, expected), expected.body, self.authorization(route.service, who))
        return status


def basic(pair):
    import base64

    return "Basic " + base64.b64encode(":".join(pair).encode()).decode()


def wanted(world, route, expected, who):
    """The set of statuses that are right."""
    denied = {"registry": {401}, "graph": {403}}.get(route.service, {403})
    if expected.operation == "public":
        return {expected.status}
    if who in BEARERS:
        return {401}
    if expected.operation == "signed-in":
        return {expected.status}
    if expected.operation.startswith("directory-"):  # docs/auth.md: reading for all, writing for owners
        return {expected.status} if who == "Owner" or expected.operation == "directory-read" else denied
    if expected.operation == "sees":
        return denied if who == "Contributor elsewhere" and "/resourceGroups/" in world.path(route, expected) else {expected.status}
    # Reader holds the subscription, AcrPull and AcrPush the registry, the Contributor another group
    inside = {"Owner": True, "Reader of all": True, "Reader": world.path(route, expected).startswith("/subscriptions/") or route.service == "registry", "AcrPull": "/registries/" in world.path(route, expected) or route.service == "registry",
              "AcrPush": "/registries/" in world.path(route, expected) or route.service == "registry",
              "Contributor elsewhere": False}[who]
    if inside and allows(roles()[world.role_of[who]], expected.operation):
        return {expected.status}
    return denied


def misfits(world, route, expected, whom=None):
    found = []
    for who in whom or (*BEARERS, *world.people):
        if expected.operation == "public" and who != "none":
            continue
        status, right = world.ask(route, expected, who), wanted(world, route, expected, who)
        if status not in right:
            found.append(f"{route.key} by {who}: {status}, wanted {sorted(right)}")
    return found


@pytest.fixture(scope="module")
def world():
    need("root")
    with Mutant() as server:
        yield World(server)
        assert server.process.poll() is None, f"the server ended by itself:\n{server.said()}"


@pytest.fixture(scope="module")
def routes(world):
    return routes_of(world.server.command()[0])


def test_every_route_has_an_entry(routes):
    known, there = expectations(), {route.key for route in routes}
    assert [route.key for route in routes if route.key not in known] == []
    assert [key for key in known if key not in there] == []


def test_matrix(world, routes):
    known = expectations()
    found = []
    for route in routes:
        if route.key in known:
            found += misfits(world, route, known[route.key])
    assert not found, "\n".join(found)


def test_every_flipped_permission_is_noticed(world, routes):
    known, unnoticed, flipped = expectations(), [], 0
    for route in routes:
        for flip in range(4):
            status, _ = world.call("POST", f"/mutant/{urllib.parse.quote(route.service)}/{route.index}/{flip}")
            if status != 200:
                break
            flipped += 1
            if not misfits(world, route, known[route.key], [*world.people, "none"]):
                unnoticed.append(f"{route.key}, flip {flip}")
    world.call("POST", "/mutant")
    assert not unnoticed, "\n".join(unnoticed)
    assert flipped > 100, flipped
