"""No secret stands in the log or, in clear, in a dump of the database; answers show one only where that is
their purpose."""

import base64
import json
import os
import pwd
import subprocess
import uuid

import pytest

from harness.azure import admin
from harness.keys import psql
from harness.machine import need
from harness.server import HANG_S, wait_until
from test_rights import World

API = "api-version=2023-07-01"


def dump(server):
    """The whole database as text, as pg_dump sees it."""
    user = []
    if os.geteuid() == 0:
        pwd.getpwnam("sundog")
        user = ["setpriv", "--reuid=sundog", "--regid=sundog", "--clear-groups"]
    return subprocess.run([*user, "pg_dump", "-h", f"{server.data}/postgres-socket", "-U", "sundog", "sundog"], check=True,
                          capture_output=True, cwd="/", timeout=HANG_S).stdout


@pytest.fixture(scope="module")
def world(sundog):
    need("root")
    return World(sundog)


def ask(world, method, path, body=None, wanted=(200, 201)):
    status, said = world.call(method, f"{path}?{API}", body, {"Authorization": f"Bearer {world.owner}"})
    assert status in wanted, (method, path, status, said)
    return said.decode()


@pytest.fixture(scope="module")
def secrets(sundog, world):
    """Makes one of every kind; name → text that must not leak."""
    first, made = admin(sundog), {}
    for name in ("clientSecret", "userPassword", "registryPassword"):
        made[name] = first[name]
    made["access token"] = world.owner
    made["password of an application"] = world.people["Reader"][1]
    ask(world, "PATCH", world.registry, {"properties": {"adminUserEnabled": True}})
    for item in json.loads(ask(world, "POST", f"{world.registry}/listCredentials"))["passwords"]:
        made[f"admin {item['name']}"] = item["value"]
    ask(world, "PUT", f"{world.registry}/scopeMaps/secretmap", {"properties": {"actions": ["repositories/a/content/read"]}})
    ask(world, "PUT", f"{world.registry}/tokens/secrettoken", {"properties": {
        "scopeMapId": f"{world.registry}/scopeMaps/secretmap", "status": "enabled"}})
    generated = json.loads(ask(world, "POST", f"{world.registry}/generateCredentials",
                               {"tokenId": f"{world.registry}/tokens/secrettoken"}))
    for item in generated["passwords"]:
        made[f"token {item['name']}"] = item["value"]
    made["webhook header"] = "hook-" + uuid.uuid4().hex
    made["webhook address"] = "key-" + uuid.uuid4().hex
    ask(world, "PUT", f"{world.registry}/webhooks/secrethook", {"location": "eastus", "properties": {
        "serviceUri": f"http://127.0.0.1:9/hook?code={made['webhook address']}", "actions": ["push"],
        "customHeaders": {"Authorization": f"Bearer {made['webhook header']}"}}})
    ask(world, "POST", f"{world.registry}/webhooks/secrethook/ping")
    made["import password"] = "import-" + uuid.uuid4().hex
    ask(world, "POST", f"{world.registry}/importImage", {
        "source": {"registryUri": "127.0.0.1:9", "sourceImage": "a:1",
                   "credentials": {"username": "somebody", "password": made["import password"]}},
        "targetTags": ["a:1"]}, wanted=(202,))
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    status, said = world.call("POST", "/adfs/oauth2/token", "&".join((
        "grant_type=password", "client_id=04b07795-8ddb-461a-bbee-02f9e1bf7b46", f"username={first['userName']}",
        f"password={first['userPassword']}", f"scope={world.base}/.default offline_access openid")), form)
    assert status == 200, said
    made["refresh token"] = json.loads(said)["refresh_token"]
    made["id token"] = json.loads(said)["id_token"]
    status, said = world.call("POST", "/oauth2/exchange", f"grant_type=access_token&service=localhost&access_token={world.owner}", form)
    assert status == 200, said
    made["registry's refresh token"] = json.loads(said)["refresh_token"]
    for secret in (first["clientSecret"], "wrong-" + uuid.uuid4().hex):  # in a query, where it does not belong
        world.call("GET", f"/v2/?password={secret}")
        made["wrong secret"] = secret
        world.call("POST", "/adfs/oauth2/token", f"grant_type=client_credentials&client_id={first['clientId']}"
                   f"&client_secret={secret}&scope=x", form)
    return made


def forms(secret):
    """A secret as it is, and as Basic credentials or base64 would carry it."""
    yield secret.encode()
    yield base64.b64encode(secret.encode()).rstrip(b"=")[:-1]


def test_the_log(sundog, secrets):
    def read():
        with open(sundog.output, "rb") as file:
            return file.read()

    log = wait_until(lambda: b"importImage" in (said := read()) and said, "the log has the last calls")
    assert len(log) > 2000
    assert [name for name, secret in secrets.items() for form in forms(secret) if form in log] == []


def test_the_database(sundog, secrets):
    text = dump(sundog)
    assert b"secrethook" in text and b"secrettoken" in text
    assert [name for name, secret in secrets.items() for form in forms(secret) if form in text] == []
    hexed = [name for name, secret in secrets.items() if secret.encode().hex().encode() in text]  # bytea
    assert hexed == []


def test_credentials_of_an_import_do_not_outlive_it(sundog, world, secrets):
    wait_until(lambda: psql(sundog, "SELECT count(*) FROM registry.import WHERE ended IS NULL") == [["0"]],
               "the import has failed")
    assert psql(sundog, "SELECT count(*) FROM registry.import WHERE credentials IS NOT NULL") == [["0"]]


def test_answers(world, secrets):
    """Everything that can be read, but the actions whose purpose is to show."""
    said = ""
    for path in (world.registry, f"{world.registry}/webhooks", f"{world.registry}/tokens", f"{world.registry}/scopeMaps",
                 f"{world.registry}/listUsages", f"/subscriptions/{world.subscription}/resources"):
        said += ask(world, "GET", path)
    said += ask(world, "POST", f"{world.registry}/webhooks/secrethook/listEvents")
    for path in ("applications", "servicePrincipals", "users"):
        status, text = world.call("GET", f"/graph/v1.0/{path}", headers={"Authorization": f"Bearer {world.graph_owner}"})
        assert status == 200
        said += text.decode()
    shown = [name for name, secret in secrets.items() if secret in said and name != "webhook address"]
    assert shown == []
    assert "******" in said
