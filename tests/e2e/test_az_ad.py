"""`az ad` and the ways `az login` signs in, by Debian's az in an empty configuration."""

import json

import pytest

from harness.azure import Az, admin
from harness.machine import need
from harness.web import expect
from harness.entra import Entra


@pytest.fixture(scope="module")
def az(sundog):
    need("az")
    it = Az(sundog)
    it.login()
    return it


@pytest.fixture(scope="module")
def first(sundog):
    return admin(sundog)


def test_application_and_service_principal(az):
    app = az.json("ad", "app", "create", "--display-name", "one", "--web-redirect-uris", "https://a/b")["appId"]
    assert az.json("ad", "app", "list", "--display-name", "one", "--query", "[].appId") == [app]
    az("ad", "app", "update", "--id", app, "--set", "displayName=two")
    assert az.json("ad", "app", "show", "--id", app)["displayName"] == "two"
    az("ad", "sp", "create", "--id", app)
    assert az.json("ad", "sp", "show", "--id", app, "--query", "servicePrincipalNames") == [app]
    az("ad", "app", "credential", "reset", "--id", app, "--display-name", "x")
    (shown,) = az.json("ad", "app", "credential", "list", "--id", app)
    az("ad", "app", "credential", "delete", "--id", app, "--key-id", shown["keyId"])
    credential = {"name": "n", "issuer": "https://i.example", "subject": "s", "audiences": ["api://AzureADTokenExchange"]}
    az("ad", "app", "federated-credential", "create", "--id", app, "--parameters", json.dumps(credential))
    assert len(az.json("ad", "app", "federated-credential", "list", "--id", app)) == 1
    az("ad", "app", "delete", "--id", app)
    assert az("ad", "sp", "show", "--id", app, status=None).status == 3


def test_users_and_groups(az):
    user = az.json("ad", "user", "create", "--display-name", "U", "--user-principal-name", "u@sundog.localhost",
                   "--password", "pass word 12")["id"]
    az("ad", "group", "create", "--display-name", "G", "--mail-nickname", "g")
    az("ad", "group", "member", "add", "-g", "G", "--member-id", user)
    assert az.json("ad", "group", "member", "check", "-g", "G", "--member-id", user) == {"value": True}
    assert [g["displayName"] for g in az.json("ad", "user", "get-member-groups", "--id", "u@sundog.localhost")] == ["G"]
    az("ad", "group", "member", "remove", "-g", "G", "--member-id", user)
    assert az.json("ad", "group", "member", "list", "-g", "G") == []
    az("ad", "group", "delete", "-g", "G")
    az("ad", "user", "delete", "--id", user)


def test_create_for_rbac_and_its_logins(sundog, az, first):
    made = az.json("ad", "sp", "create-for-rbac", "-n", "ci")
    assert made["tenant"] == first["tenantId"]
    expect(Entra(sundog).token({"grant_type": "client_credentials", "client_id": made["appId"],
                                "client_secret": made["password"], "scope": "https://management.azure.com/.default"}), 200)
    pem = az.json("ad", "sp", "credential", "reset", "--id", made["appId"], "--create-cert")["fileWithCertAndPrivateKey"]
    other = Az(sundog)
    other("login", "--service-principal", "-u", made["appId"], "-p", pem, "--tenant", first["tenantId"],
          "--allow-no-subscriptions")


def test_login_as_a_person(sundog, first):
    az = Az(sundog)
    az("login", "-u", first["userName"], "-p", first["userPassword"], "--tenant", first["tenantId"])
    assert az.json("ad", "signed-in-user", "show")["userPrincipalName"] == first["userName"]
    assert az.json("account", "get-access-token")["tokenType"] == "Bearer"
    wrong = Az(sundog)("login", "-u", first["userName"], "-p", "wrong", "--tenant", first["tenantId"], status=None)
    assert wrong.status == 1 and "AADSTS50126" in wrong.err
