"""Signing in: every grant and authority by plain HTTP, as the clients of azure-clients.md ask, and every refusal."""

import base64
import hashlib
import http.server
import json
import re
import secrets
import threading
import time
import urllib.parse

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from harness.azure import admin
from harness.entra import Entra, b64, part
from harness.server import Sundog, wait_until
from harness.web import expect

AZ = "04b07795-8ddb-461a-bbee-02f9e1bf7b46"


@pytest.fixture(scope="module")
def sundog():
    with Sundog(env={"SUNDOG_TENANT_ID": "22222222-2222-4222-8222-222222222222",
                     "SUNDOG_CLIENT_SECRET": "a secret that a pipeline chose"}) as server:
        yield server


@pytest.fixture(scope="module")
def first(sundog):
    return admin(sundog)


@pytest.fixture
def entra(sundog):
    return Entra(sundog)


def refused(answer, status, error, code):
    expect(answer, status)
    said = answer.json()
    assert said["error"] == error and said["error_codes"] == [code], said
    assert said["error_description"].startswith(f"AADSTS{code}: "), said
    assert said["trace_id"] and said["correlation_id"] and said["timestamp"], said


def credentials(first, **more):
    return {"grant_type": "client_credentials", "client_id": first["clientId"],
            "client_secret": first["clientSecret"], **more}


def person(first, **more):
    return {"grant_type": "password", "client_id": AZ, "username": first["userName"],
            "password": first["userPassword"], "scope": "openid profile offline_access", **more}


def test_settings_choose_the_first_principals(first):
    assert first["tenantId"] == "22222222-2222-4222-8222-222222222222"
    assert first["clientSecret"] == "a secret that a pipeline chose"
    assert first["userName"] == "admin@sundog.localhost"


# authorities

AUTHORITIES = ["/adfs", "/adfs/x/{tenant}", "/adfs/{tenant}", "/{tenant}", "/{tenant}/v2.0", "/common", "/common/v2.0",
               "/organizations/v2.0", "/sundog.localhost/v2.0", "/adfs/{tenant}/v2.0"]


@pytest.mark.parametrize("authority", AUTHORITIES)
def test_an_authority_leads_to_a_token(entra, first, authority):
    path = authority.format(tenant=first["tenantId"])
    said = expect(entra.get(f"{path}/.well-known/openid-configuration"), 200).json()
    assert said["issuer"].split("/")[3] == first["tenantId"]
    for name in ("token_endpoint", "authorization_endpoint", "device_authorization_endpoint", "jwks_uri"):
        assert said[name].startswith(entra.base + "/"), said
    token = entra.token(credentials(first, scope=f"{entra.base}/arm//.default"), url=said["token_endpoint"]).json()
    claims = part(token["access_token"], 1)
    assert claims["iss"] == said["issuer"]
    keys = {key["kid"] for key in expect(entra.get(said["jwks_uri"]), 200).json()["keys"]}
    assert part(token["access_token"], 0)["kid"] in keys


@pytest.mark.parametrize("path", ["/adfs/oauth2/token", "/adfs/{tenant}/oauth2/v2.0/token", "/adfs/x/{tenant}/oauth2/token",
                                  "/{tenant}/oauth2/v2.0/token", "/{tenant}/oauth2/token", "/organizations/oauth2/v2.0/token"])
def test_token_paths(entra, first, path):
    form = credentials(first, scope=f"{entra.base}/.default")
    expect(entra.token(form, path.format(tenant=first["tenantId"])), 200)


def test_another_tenant(entra, first):
    form = credentials(first, scope=f"{entra.base}/.default")
    answer = entra.token(form, "/11111111-1111-1111-1111-111111111111/oauth2/v2.0/token")
    refused(answer, 400, "invalid_request", 90002)


def test_cloud_metadata(entra):
    oldest = expect(entra.get("/metadata/endpoints?api-version=2015-01-01"), 200).json()
    assert oldest["authentication"]["loginEndpoint"] == f"{entra.base}/adfs"
    assert oldest["authentication"]["audiences"][0] == f"{entra.base}/arm/"
    (listed,) = expect(entra.get("/metadata/endpoints?api-version=2019-05-01"), 200).json()
    one = expect(entra.get("/metadata/endpoints?api-version=2022-09-01"), 200).json()
    assert listed == one and one["name"] != "AzureCloud"
    assert one["resourceManager"] and one["microsoftGraphResourceId"] == f"{entra.base}/graph/"
    assert one["suffixes"]["acrLoginServer"].startswith("azurecr.localhost:")
    expect(entra.get("/metadata/endpoints"), 400)


def test_discovery_of_msal(entra, first):
    said = expect(entra.get("/common/discovery/instance?api-version=1.1&authorization_endpoint=x"), 200).json()
    assert said["tenant_discovery_endpoint"].startswith(entra.base)
    assert expect(entra.get("/common/userrealm/me@x?api-version=1.0"), 200).json()["account_type"] == "Managed"


# client credentials

def test_client_credentials(entra, first):
    asked = '{"access_token": {"xms_cc": {"values": ["CP1"]}}}'
    said = expect(entra.token(credentials(first, scope=f"{entra.base}/arm//.default", client_info="1", claims=asked)), 200)
    assert said["Cache-Control"].startswith("no-store")
    said = said.json()
    assert said["token_type"] == "Bearer" and isinstance(said["expires_in"], int) and "refresh_token" not in said
    claims = part(said["access_token"], 1)
    assert claims["aud"] == f"{entra.base}/arm/" and claims["appid"] == first["clientId"]
    assert claims["tid"] == first["tenantId"] and claims["idtyp"] == "app" and claims["xms_cc"] == ["CP1"]
    assert claims["oid"] == claims["sub"] and claims["exp"] - claims["iat"] == 3600


def test_resource_of_version_1(entra, first):
    said = expect(entra.token(credentials(first, resource="https://management.azure.com/")), 200).json()
    assert said["resource"] == "https://management.azure.com/" and int(said["expires_on"]) > time.time()


def test_basic_credentials_of_a_client(entra, first):
    pair = f"{first['clientId']}:{urllib.parse.quote_plus(first['clientSecret'])}"
    form = {"grant_type": "client_credentials", "scope": f"{entra.base}/.default"}
    expect(entra.token(form, headers={"Authorization": "Basic " + base64.b64encode(pair.encode()).decode()}), 200)


@pytest.mark.parametrize("change, status, error, code", [
    ({"client_secret": "wrong"}, 401, "invalid_client", 7000215),
    ({"client_secret": None}, 401, "invalid_client", 7000218),
    ({"client_id": "11111111-1111-1111-1111-111111111111"}, 400, "unauthorized_client", 700016),
    ({"client_id": None}, 400, "invalid_request", 900144),
    ({"grant_type": None}, 400, "invalid_request", 900144),
    ({"grant_type": "magic"}, 400, "unsupported_grant_type", 70003),
    ({"scope": None}, 400, "invalid_request", 900144),
    ({"scope": "https://vault.azure.net/.default"}, 400, "invalid_resource", 500011),
    ({"scope": "https://graph.microsoft.com/User.Read"}, 400, "invalid_scope", 1002012),
    ({"scope": "https://a/.default https://b/.default"}, 400, "invalid_scope", 70011),
])
def test_client_credentials_refused(entra, first, change, status, error, code):
    form = {**credentials(first, scope=f"{entra.base}/.default"), **change}
    answer = entra.token({name: value for name, value in form.items() if value is not None})
    refused(answer, status, error, code)


def test_failures_are_limited(sundog, entra):
    app = entra.application()
    form = {"grant_type": "client_credentials", "client_id": app["appId"], "client_secret": "guess",
            "scope": f"{entra.base}/.default"}
    statuses = [entra.token(form).status for _ in range(14)]
    assert 429 in statuses and statuses[0] == 401, statuses


# certificates

def make_key():
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def signed(key, head, claims, pss=False):
    text = f"{b64(json.dumps(head).encode())}.{b64(json.dumps(claims).encode())}"
    how = padding.PSS(padding.MGF1(hashes.SHA256()), 32) if pss else padding.PKCS1v15()
    return f"{text}.{b64(key.sign(text.encode(), how, hashes.SHA256()))}"


def with_assertion(entra, app_id, assertion):
    return entra.token({"grant_type": "client_credentials", "client_id": app_id, "client_assertion": assertion,
                        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
                        "scope": f"{entra.base}/.default"})


@pytest.mark.parametrize("pss", [False, True])
def test_certificate_assertion(entra, pss):
    key, app = make_key(), entra.application()
    thumbprint = entra.add_certificate(app, key)
    head = {"alg": "PS256" if pss else "RS256", "typ": "JWT", "x5t": b64(bytes.fromhex(thumbprint))}
    claims = {"aud": f"{entra.base}/adfs/oauth2/token", "iss": app["appId"], "sub": app["appId"],
              "jti": secrets.token_hex(8), "exp": int(time.time()) + 600, "nbf": int(time.time())}
    said = expect(with_assertion(entra, app["appId"], signed(key, head, claims, pss)), 200).json()
    assert part(said["access_token"], 1)["appidacr"] == "2"
    refused(with_assertion(entra, app["appId"], signed(make_key(), head, claims, pss)), 401, "invalid_client", 700027)
    late = signed(key, head, {**claims, "exp": int(time.time()) - 5}, pss)
    refused(with_assertion(entra, app["appId"], late), 401, "invalid_client", 700024)
    elsewhere = signed(key, head, {**claims, "aud": "https://login.microsoftonline.com/x"}, pss)
    refused(with_assertion(entra, app["appId"], elsewhere), 401, "invalid_client", 700027)
    none = f"{b64(json.dumps({'alg': 'none'}).encode())}.{b64(json.dumps(claims).encode())}."
    refused(with_assertion(entra, app["appId"], none), 401, "invalid_client", 700027)


# federated tokens

class Issuer:
    """An OpenID Connect issuer of the tests, as GitHub Actions is one."""

    def __init__(self):
        self.key, self.asked = make_key(), []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                outer.asked.append(self.path)
                body = json.dumps(outer.answer(self.path)).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def answer(self, path):
        if path.startswith("/.well-known"):
            return {"issuer": self.url, "jwks_uri": f"{self.url}/keys"}
        numbers = self.key.public_key().public_numbers()
        return {"keys": [{"kty": "RSA", "kid": "one", "use": "sig", "n": b64(numbers.n.to_bytes(256, "big")),
                          "e": b64(numbers.e.to_bytes(3, "big"))}]}

    def token(self, key=None, **claims):
        now = int(time.time())
        claims = {"iss": self.url, "aud": "api://AzureADTokenExchange", "iat": now, "exp": now + 300, **claims}
        return signed(key or self.key, {"alg": "RS256", "kid": "one", "typ": "JWT"}, claims)


@pytest.fixture(scope="module")
def issuer():
    it = Issuer()
    yield it
    it.server.shutdown()


def test_federated_token(entra, issuer):
    app = entra.application()
    subject = "repo:team/app:ref:refs/heads/main"
    entra.graph("POST", f"/applications/{app['id']}/federatedIdentityCredentials", 201,
                {"name": "main", "issuer": issuer.url, "subject": subject, "audiences": ["api://AzureADTokenExchange"]})
    expect(with_assertion(entra, app["appId"], issuer.token(sub=subject)), 200)
    n = len(issuer.asked)
    expect(with_assertion(entra, app["appId"], issuer.token(sub=subject)), 200)
    assert len(issuer.asked) == n, "the keys are kept"
    other = issuer.token(sub="repo:team/app:ref:refs/heads/other")
    refused(with_assertion(entra, app["appId"], other), 401, "invalid_client", 700213)
    refused(with_assertion(entra, app["appId"], issuer.token(sub=subject, iss="https://x")), 401, "invalid_client", 700211)
    refused(with_assertion(entra, app["appId"], issuer.token(sub=subject, aud="x")), 401, "invalid_client", 700212)
    forged = issuer.token(key=make_key(), sub=subject)
    refused(with_assertion(entra, app["appId"], forged), 401, "invalid_client", 700027)
    refused(with_assertion(entra, app["appId"], issuer.token(sub=subject, exp=1)), 401, "invalid_client", 700024)


def test_issuer_that_is_not_there(entra):
    app = entra.application()
    dead = "http://127.0.0.1:1"
    entra.graph("POST", f"/applications/{app['id']}/federatedIdentityCredentials", 201,
                {"name": "dead", "issuer": dead, "subject": "s", "audiences": ["api://AzureADTokenExchange"]})
    now = int(time.time())
    token = signed(make_key(), {"alg": "RS256", "kid": "k"},
                   {"iss": dead, "sub": "s", "aud": "api://AzureADTokenExchange", "exp": now + 60})
    expect(with_assertion(entra, app["appId"], token), 503)


# people

def test_password(entra, first):
    said = expect(entra.token(person(first, scope=f"{entra.base}/arm//.default offline_access openid profile")), 200).json()
    claims, shown = part(said["access_token"], 1), part(said["id_token"], 1)
    assert claims["idtyp"] == "user" and claims["scp"] and claims["upn"] == first["userName"]
    assert shown["preferred_username"] == first["userName"] and shown["tid"] == first["tenantId"]
    assert shown["aud"] == AZ and shown["oid"] == claims["oid"]
    info = json.loads(base64.urlsafe_b64decode(said["client_info"] + "=="))
    assert info == {"uid": claims["oid"], "utid": first["tenantId"]}
    assert said["refresh_token"] and "foci" not in said


@pytest.mark.parametrize("change, code", [({"password": "wrong"}, 50126), ({"username": "nobody@x"}, 50034)])
def test_password_refused(entra, first, change, code):
    refused(entra.token({**person(first), **change}), 400, "invalid_grant", code)


def test_refresh_tokens_rotate(entra, first):
    one = entra.token(person(first)).json()
    form = {"grant_type": "refresh_token", "client_id": AZ, "refresh_token": one["refresh_token"],
            "scope": f"{entra.base}/arm//.default"}
    two = expect(entra.token(form), 200).json()
    assert two["refresh_token"] != one["refresh_token"] and two["id_token"]
    expect(entra.token({**form, "refresh_token": two["refresh_token"]}), 200)
    refused(entra.token({**form, "refresh_token": "x" * 64}), 400, "invalid_grant", 700082)
    other = {**form, "refresh_token": two["refresh_token"], "client_id": "1950a258-227b-4e31-a9cf-717495945fc2"}
    refused(entra.token(other), 400, "invalid_grant", 70000)


def test_an_id_or_refresh_token_is_no_access_token(entra, first):
    said = entra.token(person(first)).json()
    for text in (said["id_token"], said["refresh_token"]):
        expect(entra.get("/graph/v1.0/me", headers={"Authorization": f"Bearer {text}"}), 401)


# the authorization code

class Browser:
    def __init__(self, entra):
        self.entra, self.cookie = entra, None

    def get(self, path):
        answer = self.entra.get(path)
        self.cookie = answer["Set-Cookie"].split(";")[0]
        return answer

    def submit(self, page, fallback, cookie=True, **fields):
        hidden = dict(re.findall(r'type="hidden" name="([^"]*)" value="([^"]*)"', page.body.decode()))
        action = re.search(r'<form method="post" action="([^"]*)"', page.body.decode())
        path = action.group(1).replace("&amp;", "&") if action else fallback
        return self.entra.post(path, {**hidden, **fields}, {"Cookie": self.cookie} if cookie else {})


def authorize(first, entra, **change):
    verifier = secrets.token_urlsafe(48)
    challenge = b64(hashlib.sha256(verifier.encode()).digest())
    query = {"client_id": AZ, "response_type": "code", "redirect_uri": "http://localhost:43210", "state": "a&b=<c>",
             "scope": f"{entra.base}/arm//.default openid offline_access", "code_challenge": challenge,
             "code_challenge_method": "S256", "nonce": "n1", **change}
    query = {name: value for name, value in query.items() if value is not None}
    return verifier, f"/adfs/oauth2/authorize?{urllib.parse.urlencode(query)}"


def code_form(code, verifier, **change):
    return {"grant_type": "authorization_code", "client_id": AZ, "code": code, "code_verifier": verifier,
            "redirect_uri": "http://localhost:43210", **change}


def sign_in(entra, first, path):
    browser = Browser(entra)
    page = expect(browser.get(path), 200)
    assert "Microsoft Azure CLI" in page.body.decode() and "script" not in page.body.decode()
    assert "default-src 'none'" in page["Content-Security-Policy"]
    answer = browser.submit(page, path, username=first["userName"], password=first["userPassword"])
    expect(answer, 302)
    return urllib.parse.parse_qs(urllib.parse.urlsplit(answer["Location"]).query)


def test_authorization_code(entra, first):
    verifier, path = authorize(first, entra)
    said = sign_in(entra, first, path)
    assert said["state"] == ["a&b=<c>"]
    refused(entra.token(code_form("wrong", verifier)), 400, "invalid_grant", 70008)
    tokens = expect(entra.token(code_form(said["code"][0], verifier)), 200).json()
    assert part(tokens["id_token"], 1)["nonce"] == "n1" and tokens["refresh_token"]
    refused(entra.token(code_form(said["code"][0], verifier)), 400, "invalid_grant", 70008)


def test_code_needs_its_verifier_and_address(entra, first):
    verifier, path = authorize(first, entra)
    code = sign_in(entra, first, path)["code"][0]
    refused(entra.token(code_form(code, "w" * 43)), 400, "invalid_grant", 501481)
    code = sign_in(entra, first, path)["code"][0]
    refused(entra.token(code_form(code, verifier, redirect_uri="http://localhost:1")), 400, "invalid_grant", 70000)
    plain, path = authorize(first, entra, code_challenge="p" * 43, code_challenge_method="plain")
    code = sign_in(entra, first, path)["code"][0]
    expect(entra.token(code_form(code, "p" * 43)), 200)


def test_the_form_is_protected(entra, first):
    _, path = authorize(first, entra)
    browser = Browser(entra)
    page = browser.get(path)
    right = {"username": first["userName"], "password": first["userPassword"]}
    assert browser.submit(page, path, cookie=False, **right).status == 401
    assert browser.submit(page, path, canary="0" * 64, **right).status == 401
    wrong = browser.submit(page, path, username='"><b>', password="wrong")
    assert wrong.status == 401 and b'"><b>' not in wrong.body


@pytest.mark.parametrize("change", [{"redirect_uri": "https://evil.example/"}, {"client_id": "nobody"},
                                    {"redirect_uri": "http://localhost.evil.example/"},
                                    {"redirect_uri": "http://localhost:1@evil.example/"},
                                    {"redirect_uri": "http://localhost:1\r\nX: y"}])
def test_no_redirect_to_strangers(entra, first, change):
    answer = entra.get(authorize(first, entra, **change)[1])
    assert answer.status == 400 and answer.header("Location") is None, answer


@pytest.mark.parametrize("change, error", [({"response_type": "token"}, "unsupported_response_type"),
                                           ({"code_challenge": None}, "invalid_request"),
                                           ({"prompt": "none"}, "login_required"),
                                           ({"scope": "https://vault.azure.net/.default"}, "invalid_scope")])
def test_errors_go_to_the_program(entra, first, change, error):
    answer = expect(entra.get(authorize(first, entra, **change)[1]), 302)
    said = urllib.parse.parse_qs(urllib.parse.urlsplit(answer["Location"]).query)
    assert said["error"] == [error] and said["state"] == ["a&b=<c>"]


def test_code_by_form_post(entra, first):
    verifier, path = authorize(first, entra, response_mode="form_post")
    browser = Browser(entra)
    page = browser.get(path)
    answer = browser.submit(page, path, username=first["userName"], password=first["userPassword"])
    expect(answer, 200)
    code = re.search(r'name="code" value="([0-9a-f]+)"', answer.body.decode()).group(1)
    expect(entra.token(code_form(code, verifier)), 200)


# devices

def begin_device(entra, path="/adfs/oauth2/devicecode"):
    said = expect(entra.post(path, {"client_id": AZ, "scope": f"{entra.base}/arm//.default offline_access"}), 200).json()
    form = {"grant_type": "urn:ietf:params:oauth:grant-type:device_code", "client_id": AZ,
            "code": said["device_code"], "device_code": said["device_code"]}
    return said, form


def enter(entra, said, **fields):
    browser = Browser(entra)
    page = browser.get("/devicelogin")
    page = browser.submit(page, "", otc=said["user_code"].lower())
    assert "Microsoft Azure CLI" in page.body.decode(), page
    return browser.submit(page, "", **fields)


@pytest.mark.parametrize("path", ["/adfs/oauth2/devicecode", "/common/oauth2/v2.0/devicecode"])
def test_device_code(entra, first, path):
    said, form = begin_device(entra, path)
    assert said["user_code"] in said["message"] and said["verification_uri"] == f"{entra.base}/devicelogin"
    refused(entra.token(form), 400, "authorization_pending", 70016)
    expect(enter(entra, said, username=first["userName"], password="wrong", decision="approve"), 401)
    refused(entra.token(form), 400, "authorization_pending", 70016)
    expect(enter(entra, said, username=first["userName"], password=first["userPassword"], decision="approve"), 200)
    assert expect(entra.token(form), 200).json()["id_token"]
    refused(entra.token(form), 400, "expired_token", 70020)


def test_device_code_refused(entra, first):
    said, form = begin_device(entra)
    expect(enter(entra, said, decision="refuse", username="", password=""), 200)
    refused(entra.token(form), 400, "authorization_declined", 65004)


def test_unknown_device_code(entra):
    browser = Browser(entra)
    page = browser.get("/devicelogin")
    assert browser.submit(page, "", otc="BBBBBBBBB").status == 400


# the end of sessions

def test_restart_keeps_everything(sundog, entra, first):
    said = entra.token(person(first)).json()
    sundog.restart()
    entra = Entra(sundog)
    form = {"grant_type": "refresh_token", "client_id": AZ, "refresh_token": said["refresh_token"]}
    expect(entra.token(form), 200)
    assert admin(sundog)["clientSecret"] == first["clientSecret"]
    expect(entra.token(credentials(first, scope=f"{entra.base}/.default")), 200)


def test_no_secret_in_the_log(sundog, entra, first):
    """In none of all that was logged; what is asked last is in it."""
    expect(entra.token(person(first), "/common/oauth2/v2.0/token"), 200)

    def read():
        with open(sundog.output) as file:
            return file.read()

    said = wait_until(lambda: "path=/common/oauth2/v2.0/token" in (said := read()) and said, "the log has the last call")
    for secret in (first["clientSecret"], first["userPassword"], urllib.parse.quote_plus(first["clientSecret"])):
        assert secret not in said
