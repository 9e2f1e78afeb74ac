"""The directory API: what az ad, Terraform's azuread and the SDKs ask of Microsoft Graph; who may; what ends with it."""

import base64
import secrets
import urllib.parse

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from harness.entra import Entra, certificate_of, part
from harness.keys import psql
from harness.machine import need
from harness.server import wait_until
from harness.web import expect

AZ = "04b07795-8ddb-461a-bbee-02f9e1bf7b46"


@pytest.fixture
def entra(sundog):
    return Entra(sundog)


def refused(answer, status, code):
    expect(answer, status)
    said = answer.json()["error"]
    assert said["code"] == code and said["message"] and said["innerError"]["request-id"], said


def graph_token(entra, app, secret):
    return entra.token_for("https://graph.microsoft.com", app["appId"], secret)


def sign_in(entra, name, password, status=200):
    return expect(entra.token({"grant_type": "password", "client_id": AZ, "username": name, "password": password,
                               "scope": f"{entra.base}/graph//.default"}), status).json()


def person(entra, **more):
    name = f"u{secrets.token_hex(4)}@sundog.localhost"
    body = {"accountEnabled": True, "displayName": "A Person", "mailNickname": "person", "userPrincipalName": name,
            "passwordProfile": {"password": "correct horse", "forceChangePasswordNextSignIn": False}, **more}
    return entra.graph("POST", "/users", 201, body)


# applications and service principals

def test_application_life(entra):
    app = entra.graph("POST", "/applications", 201, {"displayName": "Deployer", "web": {"redirectUris": ["https://x/y"]},
                                                     "identifierUris": ["api://deployer"]})
    assert app["appId"] != app["id"] and app["passwordCredentials"] == [] and app["signInAudience"] == "AzureADMyOrg"
    assert entra.graph("GET", f"/applications/{app['id']}")["web"]["redirectUris"] == ["https://x/y"]
    entra.graph("PATCH", f"/applications/{app['id']}", 204, {"web": {"homePageUrl": "https://h"}, "displayName": "New"})
    now = entra.graph("GET", f"/applications/{app['id']}")
    assert now["displayName"] == "New" and now["web"]["redirectUris"] == ["https://x/y"] and now["web"]["homePageUrl"]
    sp = entra.graph("POST", "/servicePrincipals", 201, {"appId": app["appId"], "accountEnabled": True})
    assert sp["servicePrincipalNames"] == [app["appId"], "api://deployer"] and sp["displayName"] == "New"
    refused(entra.ask("POST", "/servicePrincipals", {"appId": app["appId"]}), 409, "Request_MultipleObjectsWithSameKeyValue")
    entra.graph("DELETE", f"/applications/{app['id']}", 204)
    refused(entra.ask("GET", f"/applications/{app['id']}"), 404, "Request_ResourceNotFound")
    refused(entra.ask("GET", f"/servicePrincipals/{sp['id']}"), 404, "Request_ResourceNotFound")


@pytest.mark.parametrize("body", [{}, {"displayName": 1}, {"displayName": "x", "nonsense": 1}, [], {"displayName": "x", "web": []},
                                  {"displayName": "x", "passwordCredentials": [{"secretText": "mine"}]}])
def test_bad_applications(entra, body):
    refused(entra.ask("POST", "/applications", body), 400, "Request_BadRequest")


def test_secrets(entra):
    app = entra.application()
    made = entra.graph("POST", f"/applications/{app['id']}/addPassword", 200,
                       {"passwordCredential": {"displayName": "ci", "endDateTime": "2099-01-01T00:00:00.000Z"}})
    assert made["secretText"].startswith(made["hint"]) and made["endDateTime"].startswith("2099-01-01T00:00:00")
    shown = entra.graph("GET", f"/applications/{app['id']}")["passwordCredentials"]
    assert [one["keyId"] for one in shown] == [made["keyId"]] and shown[0]["secretText"] is None
    assert made["secretText"] not in str(shown)
    entra.token_for(entra.base, app["appId"], made["secretText"])
    entra.graph("POST", f"/applications/{app['id']}/removePassword", 204, {"keyId": made["keyId"]})
    form = {"grant_type": "client_credentials", "client_id": app["appId"], "client_secret": made["secretText"],
            "scope": f"{entra.base}/.default"}
    assert entra.token(form).json()["error_codes"] == [7000215]
    refused(entra.ask("POST", f"/applications/{app['id']}/removePassword", {"keyId": made["keyId"]}), 400, "Request_BadRequest")


def test_expired_secret(entra):
    app = entra.application()
    secret = entra.secret(app, startDateTime="2020-01-01T00:00:00Z", endDateTime="2021-01-01T00:00:00Z")
    form = {"grant_type": "client_credentials", "client_id": app["appId"], "client_secret": secret,
            "scope": f"{entra.base}/.default"}
    assert entra.token(form).json()["error_codes"] == [7000222]


def test_certificates_are_replaced(entra):
    app, key = entra.application(), rsa.generate_private_key(public_exponent=65537, key_size=2048)
    entra.add_certificate(app, key)
    (first,) = entra.graph("GET", f"/applications/{app['id']}")["keyCredentials"]
    der = certificate_of(key)[0].public_bytes(serialization.Encoding.DER)
    entra.graph("PATCH", f"/applications/{app['id']}", 204,
                {"keyCredentials": [{"keyId": first["keyId"]}, {"key": base64.b64encode(der).decode()}]})
    assert len(entra.graph("GET", f"/applications/{app['id']}")["keyCredentials"]) == 2
    entra.graph("PATCH", f"/applications/{app['id']}", 204, {"keyCredentials": []})
    assert entra.graph("GET", f"/applications/{app['id']}")["keyCredentials"] == []
    refused(entra.ask("PATCH", f"/applications/{app['id']}", {"keyCredentials": [{"key": "bm8="}]}), 400, "Request_BadRequest")


def test_federated_credentials(entra):
    app = entra.application()
    path = f"/applications/{app['id']}/federatedIdentityCredentials"
    body = {"name": "main", "issuer": "https://token.actions.githubusercontent.com", "subject": "repo:a/b:ref:refs/heads/main",
            "audiences": ["api://AzureADTokenExchange"]}
    made = entra.graph("POST", path, 201, body)
    assert [one["name"] for one in entra.graph("GET", path)["value"]] == ["main"]
    assert entra.graph("GET", f"{path}/main") == entra.graph("GET", f"{path}/{made['id']}") == made
    refused(entra.ask("POST", path, {**body, "name": "again"}), 409, "Request_MultipleObjectsWithSameKeyValue")
    refused(entra.ask("POST", path, {**body, "issuer": "http://example.com"}), 400, "Request_BadRequest")
    entra.graph("PATCH", f"{path}/main", 204, {"subject": "repo:a/b:environment:production"})
    assert entra.graph("GET", f"{path}/main")["subject"].endswith("production")
    entra.graph("DELETE", f"{path}/main", 204)
    assert entra.graph("GET", path)["value"] == []


# lists

def query(**options):
    return "?" + urllib.parse.urlencode({f"${name}": value for name, value in options.items()})


def test_filters(entra):
    app = entra.application(displayName="It's Filtered", identifierUris=["api://filtered"], tags=["one"])
    wanted = [f"appId eq '{app['appId']}'", "startswith(displayName,'it''s f')", "identifierUris/any(s:s eq 'api://filtered')",
              "displayName in ('x', 'It''s Filtered')", "tags/any(t:t eq 'one') and not (displayName eq 'x')",
              "displayName ne 'x' and (appId eq 'x' or identifierUris/any(s:s eq 'api://filtered'))"]
    for one in wanted:
        found = entra.graph("GET", "/applications" + query(filter=one))["value"]
        assert [o["id"] for o in found] == [app["id"]], one
    found = entra.graph("GET", "/servicePrincipals" + query(filter=f"servicePrincipalNames/any(c:c eq '{app['appId']}')"))
    assert [o["id"] for o in found["value"]] == [app["principal"]["id"]]
    for bad in ("displayName", "displayName eq", "displayName eq 'x", "(displayName eq 'x'", "magic(displayName,'x')",
                "displayName eq 'x' xor appId eq 'y'", "(" * 100):
        refused(entra.ask("GET", "/applications" + query(filter=bad)), 400, "Request_BadRequest")


def test_pages(entra):
    name = f"paged {secrets.token_hex(3)}"
    made = {entra.graph("POST", "/groups", 201, {"displayName": f"{name} {n}", "mailNickname": "x", "mailEnabled": False,
                                                 "securityEnabled": True})["id"] for n in range(5)}
    path, seen = "/groups" + query(filter=f"startswith(displayName,'{name}')", top=2), []
    while path:
        page = entra.graph("GET", path)
        assert len(page["value"]) <= 2
        seen += [one["id"] for one in page["value"]]
        path = page.get("@odata.nextLink")
    assert len(seen) == 5 and set(seen) == made


def all_pages(entra, path):
    seen, pages = [], 0
    while path:
        page = entra.graph("GET", path)
        seen += page["value"]
        pages += 1
        path = page.get("@odata.nextLink")
    return seen, pages


def test_many(sundog, entra):
    """More than are read at once: lists and filters miss none, whatever the database is asked."""
    need("root")
    word = secrets.token_hex(3)
    psql(sundog, f"""INSERT INTO auth.object (id, kind, name, upn, enabled)
        SELECT gen_random_uuid()::text, 'user', '{word} ' || n || ' ÄÖ%_', '{word}-' || n || '@sundog.localhost', n % 2 = 0
        FROM generate_series(1, 4100) n""")
    entra.graph("POST", "/groups", 201, {"displayName": word, "mailNickname": "x", "mailEnabled": False, "securityEnabled": True})
    every, pages = all_pages(entra, "/users?$top=999")
    ids = [one["id"] for one in every]
    assert pages > 4 and len(set(ids)) == len(ids) >= 4100 and ids == sorted(ids)
    assert len([one for one in every if one["displayName"].startswith(word)]) == 4100
    for condition, holds in (
            (f"startswith(displayName,'{word.upper()} 40')", lambda one: one["displayName"].startswith(f"{word} 40")),
            (f"displayName eq '{word} 77 ÄÖ%_'", lambda one: one["displayName"] == f"{word} 77 ÄÖ%_"),
            (f"displayName eq '{word} 77 ÄÖ%'", lambda one: False),
            (f"startswith(displayName,'{word} 77 _')", lambda one: False),
            (f"userPrincipalName eq '{word.upper()}-99@sundog.localhost'", lambda one: one["userPrincipalName"].startswith(f"{word}-99@")),
            (f"startswith(displayName,'{word} 1') and accountEnabled eq false",
             lambda one: one["displayName"].startswith(f"{word} 1") and not one["accountEnabled"])):
        expected = [one["id"] for one in every if holds(one)]
        for top in (7, 999):
            found, pages = all_pages(entra, "/users" + query(filter=condition, top=top))
            assert [one["id"] for one in found] == expected, (condition, top)
            assert pages == max(1, -(-len(expected) // top)), (condition, top)
    asked = [ids[5], "no guid", ids[3].upper(), secrets.token_hex(4), ids[5], "00000000-0000-4000-8000-000000000000"]
    found = entra.graph("POST", "/directoryObjects/getByIds", 200, {"ids": asked})["value"]
    assert [one["id"] for one in found] == [ids[5], ids[3], ids[5]]
    assert found[0]["@odata.type"] == "#microsoft.graph.user"
    psql(sundog, f"DELETE FROM auth.object WHERE name LIKE '{word} %'")


# users and groups

def test_user_life(entra):
    user = person(entra)
    name = user["userPrincipalName"]
    token = sign_in(entra, name.upper(), "correct horse")["access_token"]
    assert entra.graph("GET", "/me", token=token)["id"] == user["id"]
    assert entra.graph("GET", f"/users/{urllib.parse.quote(name)}")["id"] == user["id"]
    entra.graph("PATCH", f"/users/{user['id']}", 204, {"passwordProfile": {"password": "another horse"}})
    refused(entra.ask("GET", "/me", token=token), 401, "InvalidAuthenticationToken")
    sign_in(entra, name, "correct horse", 400)
    token = sign_in(entra, name, "another horse")["access_token"]
    entra.graph("PATCH", f"/users/{user['id']}", 204, {"accountEnabled": False})
    refused(entra.ask("GET", "/me", token=token), 401, "InvalidAuthenticationToken")
    assert sign_in(entra, name, "another horse", 400)["error_codes"] == [50057]
    entra.graph("PATCH", f"/users/{user['id']}", 204, {"accountEnabled": True})
    entra.graph("GET", "/me", token=token)
    entra.graph("DELETE", f"/users/{user['id']}", 204)
    refused(entra.ask("GET", "/me", token=token), 401, "InvalidAuthenticationToken")
    assert sign_in(entra, name, "another horse", 400)["error_codes"] == [50034]


def test_users_need_a_name_and_a_password(entra):
    user = person(entra)
    with pytest.raises(AssertionError):
        person(entra, userPrincipalName=user["userPrincipalName"])
    for change in ({"userPrincipalName": "no at"}, {"passwordProfile": {"password": "short"}}, {"passwordProfile": {}}):
        body = {"accountEnabled": True, "displayName": "x", "mailNickname": "x", "userPrincipalName": "q@x",
                "passwordProfile": {"password": "correct horse"}, **change}
        refused(entra.ask("POST", "/users", body), 400, "Request_BadRequest")


def test_revoked_sessions(entra):
    user = person(entra)
    said = expect(entra.token({"grant_type": "password", "client_id": AZ, "username": user["userPrincipalName"],
                               "password": "correct horse", "scope": "openid offline_access"}), 200).json()
    entra.graph("POST", f"/users/{user['id']}/revokeSignInSessions", 200, {})
    refused(entra.ask("GET", "/me", token=said["access_token"]), 401, "InvalidAuthenticationToken")
    answer = entra.token({"grant_type": "refresh_token", "client_id": AZ, "refresh_token": said["refresh_token"]})
    assert answer.status == 400 and answer.json()["error"] == "invalid_grant"
    sign_in(entra, user["userPrincipalName"], "correct horse")


def test_groups(entra):
    user = person(entra)
    made = [entra.graph("POST", "/groups", 201, {"displayName": f"g{n}", "mailNickname": "g", "mailEnabled": False,
                                                 "securityEnabled": True})["id"] for n in range(2)]
    reference = {"@odata.id": f"{entra.base}/graph/v1.0/directoryObjects/{user['id']}"}
    entra.graph("POST", f"/groups/{made[0]}/members/$ref", 204, reference)
    refused(entra.ask("POST", f"/groups/{made[0]}/members/$ref", reference), 400, "Request_BadRequest")
    entra.graph("POST", f"/groups/{made[1]}/members/$ref", 204, {"@odata.id": f"x/directoryObjects/{made[0]}"})
    (member,) = entra.graph("GET", f"/groups/{made[0]}/members")["value"]
    assert member["id"] == user["id"] and member["@odata.type"] == "#microsoft.graph.user"
    assert [g["id"] for g in entra.graph("GET", f"/users/{user['id']}/memberOf")["value"]] == [made[0]]
    all_groups = entra.graph("POST", f"/users/{user['id']}/getMemberGroups", 200, {"securityEnabledOnly": True})["value"]
    assert sorted(all_groups) == sorted(made)
    some = entra.graph("POST", f"/directoryObjects/{user['id']}/checkMemberGroups", 200, {"groupIds": [made[1], user["id"]]})
    assert some["value"] == [made[1]]
    entra.graph("DELETE", f"/groups/{made[0]}/members/{user['id']}/$ref", 204)
    refused(entra.ask("DELETE", f"/groups/{made[0]}/members/{user['id']}/$ref"), 404, "Request_ResourceNotFound")
    found = entra.graph("POST", "/directoryObjects/getByIds", 200, {"ids": [user["id"], made[0], "nobody"]})["value"]
    assert [one["@odata.type"] for one in found] == ["#microsoft.graph.user", "#microsoft.graph.group"]


# rights

def test_nobody(entra):
    refused(entra.get("/graph/v1.0/applications"), 401, "InvalidAuthenticationToken")
    refused(entra.ask("GET", "/applications", token="nonsense"), 401, "InvalidAuthenticationToken")
    refused(entra.ask("GET", "/applications", token=entra.token_for(f"{entra.base}/arm/")), 401, "InvalidAuthenticationToken")


def test_no_rights_means_reading_only(entra):
    app = entra.application()
    token = graph_token(entra, app, entra.secret(app))
    entra.graph("GET", f"/applications/{app['id']}", token=token)
    for method, path, body in [("POST", "/applications", {"displayName": "x"}), ("POST", "/users", {}), ("POST", "/groups", {}),
                               ("DELETE", f"/applications/{app['id']}", None),
                               ("PATCH", f"/applications/{app['id']}", {"displayName": "x"}),
                               ("POST", f"/applications/{app['id']}/addPassword", {}),
                               ("POST", f"/servicePrincipals/{app['principal']['id']}/addPassword", {})]:
        refused(entra.ask(method, path, body, token=token), 403, "Authorization_RequestDenied")


def test_owners_change_what_they_own(entra):
    app, other = entra.application(), entra.application()
    token = graph_token(entra, app, entra.secret(app))
    reference = {"@odata.id": f"{entra.base}/graph/v1.0/directoryObjects/{app['principal']['id']}"}
    entra.graph("POST", f"/applications/{app['id']}/owners/$ref", 204, reference)
    entra.graph("POST", f"/applications/{app['id']}/addPassword", 200, {}, token=token)
    entra.graph("PATCH", f"/applications/{app['id']}", 204, {"notes": "mine"}, token=token)
    assert [o["id"] for o in entra.graph("GET", "/me/ownedObjects", token=token)["value"]] == [app["id"]]
    refused(entra.ask("POST", f"/applications/{other['id']}/addPassword", {}, token=token), 403, "Authorization_RequestDenied")
    refused(entra.ask("DELETE", f"/applications/{app['id']}", token=token), 403, "Authorization_RequestDenied")


def test_the_end_of_a_principal_ends_its_tokens(entra):
    app = entra.application()
    token = graph_token(entra, app, entra.secret(app))
    entra.graph("GET", "/organization", token=token)
    entra.graph("PATCH", f"/servicePrincipals/{app['principal']['id']}", 204, {"accountEnabled": False})
    refused(entra.ask("GET", "/organization", token=token), 401, "InvalidAuthenticationToken")
    entra.graph("PATCH", f"/servicePrincipals/{app['principal']['id']}", 204, {"accountEnabled": True})
    entra.graph("GET", "/organization", token=token)
    entra.graph("DELETE", f"/servicePrincipals/{app['principal']['id']}", 204)
    refused(entra.ask("GET", "/organization", token=token), 401, "InvalidAuthenticationToken")


def test_the_last_owner_stays(entra):
    """The first user and the first service principal are Owners of everything: one of them must stay."""
    user = entra.graph("GET", f"/users/{entra.first['userName']}")
    principal = entra.graph("GET", "/servicePrincipals" + query(filter=f"appId eq '{entra.first['clientId']}'"))["value"][0]
    application = entra.graph("GET", "/applications" + query(filter=f"appId eq '{entra.first['clientId']}'"))["value"][0]
    entra.graph("PATCH", f"/users/{user['id']}", 204, {"accountEnabled": False})
    expect(entra.ask("PATCH", f"/servicePrincipals/{principal['id']}", {"accountEnabled": False}), 409)
    expect(entra.ask("DELETE", f"/servicePrincipals/{principal['id']}"), 409)
    expect(entra.ask("DELETE", f"/applications/{application['id']}"), 409)
    entra.graph("PATCH", f"/users/{user['id']}", 204, {"accountEnabled": True})
    entra.graph("GET", "/organization")


# others

def test_small_questions(entra):
    refused(entra.ask("GET", "/me"), 400, "Request_BadRequest")
    assert entra.graph("GET", "/organization")["value"][0]["id"] == entra.first["tenantId"]
    assert entra.graph("GET", "/oauth2PermissionGrants")["value"] == []
    expect(entra.ask("POST", "/oauth2PermissionGrants", {}), 501)
    expect(entra.ask("GET", "/nonsense"), 400)
    assert part(entra.token_for("https://graph.microsoft.com"), 1)["aud"] == "https://graph.microsoft.com"


def test_many_applications(entra):
    made = [entra.application(displayName=f"many {n}") for n in range(12)]
    wait_until(lambda: len(entra.graph("GET", "/applications" + query(filter="startswith(displayName,'many')"))["value"]) == 12,
               "all are listed")
    for app in made:
        entra.token_for(entra.base, app["appId"], entra.secret(app))


def test_only_versions_there_are(entra):
    expect(entra.ask("GET", f"{entra.base}/graph/beta/organization"), 200)
    expect(entra.ask("GET", f"{entra.base}/graph/v9/organization"), 400)
