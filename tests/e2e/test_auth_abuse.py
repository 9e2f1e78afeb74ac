"""Tokens that are not ours, passwords that are guessed, and secrets that must not be written down."""

import base64
import glob
import hashlib
import hmac
import json
import os
import re
import time
import urllib.parse

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from harness import web
from harness.server import Sundog, fresh_folder, run_tool, wait_until
from harness.web import basic, expect, refused


@pytest.fixture(scope="module")
def log_folder():
    folder = fresh_folder("l")
    os.chmod(folder, 0o777)  # the service writes there as user sundog
    return folder


@pytest.fixture(scope="module")
def sundog(log_folder):
    with Sundog(["--log-file", f"{log_folder}/serve.log", "--log-level", "debug"]) as server:
        yield server


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def part(token, number):
    text = token.split(".")[number]
    return json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))


def join(head, body, sign):
    signed = f"{b64(json.dumps(head).encode())}.{b64(json.dumps(body).encode())}"
    return f"{signed}.{b64(sign(signed.encode()))}"


def token_query(registry, scope, **more):
    """What a challenged client asks: the service that the challenge names."""
    challenge = registry.get("/v2/", auth=False)["WWW-Authenticate"]
    service = re.search('service="([^"]*)"', challenge)[1]
    return "/oauth2/token?" + urllib.parse.urlencode({"service": service, "scope": scope, **more})


def access_token(registry, scope):
    return expect(registry.get(token_query(registry, scope)), 200).json()["access_token"]


@pytest.fixture
def image(repository):
    repository.image("v1")
    repository.token = access_token(repository.registry, f"repository:{repository.full}:pull,push,delete")
    expect(repository.manifest("v1", auth=f"Bearer {repository.token}"), 200)
    return repository


def denied(repository, token):
    answer = refused(repository.manifest("v1", auth=f"Bearer {token}"), 401, "UNAUTHORIZED")
    assert answer["WWW-Authenticate"].startswith("Bearer ")
    refused(repository.request("POST", "/blobs/uploads/", auth=f"Bearer {token}"), 401, "UNAUTHORIZED")


@pytest.mark.parametrize("algorithm", ["none", "None", "NONE", ""])
def test_algorithm_none(image, algorithm):
    """A token without a signature that says so."""
    head = {**part(image.token, 0), "alg": algorithm}
    denied(image, join(head, part(image.token, 1), lambda _: b""))


def public_key(registry):
    """The published key set, wherever `sundog routes` says it is."""
    routes = run_tool("routes").stdout
    paths = {word for word in routes.replace("`", " ").replace("|", " ").split()
             if word.startswith("/") and ("jwks" in word.lower() or word.endswith("keys"))}
    for path in paths:
        answer = registry.get(path.replace("{tenant}", "common"))
        if answer.status == 200:
            return answer.json()["keys"][0]
    raise AssertionError(f"no key set is published: {paths or 'no route of that kind'}")


def number(text):
    return int.from_bytes(base64.urlsafe_b64decode(text + "=="), "big")


def test_signed_with_the_public_key(image):
    """HS256 with the RS256 public key as its secret, in every form it can be had."""
    key = public_key(image.registry)
    public = rsa.RSAPublicNumbers(number(key["e"]), number(key["n"])).public_key()
    forms = [public.public_bytes(encoding, form) for encoding, form in (
        (serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo),
        (serialization.Encoding.PEM, serialization.PublicFormat.PKCS1),
        (serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo))]
    head = {**part(image.token, 0), "alg": "HS256"}
    for secret in [*forms, key["n"].encode()]:
        denied(image, join(head, part(image.token, 1),
                           lambda data, secret=secret: hmac.new(secret, data, hashlib.sha256).digest()))


def test_published_key_verifies(image):
    """The published JWKS verifies the tokens: others can check them."""
    key = public_key(image.registry)
    assert key["kty"] == "RSA" and key["kid"] == part(image.token, 0)["kid"]
    assert "d" not in key
    public = rsa.RSAPublicNumbers(number(key["e"]), number(key["n"])).public_key()
    signed, _, signature = image.token.rpartition(".")
    public.verify(base64.urlsafe_b64decode(signature + "=="), signed.encode(), padding.PKCS1v15(), hashes.SHA256())


@pytest.mark.parametrize("claims", [{}, {"exp": int(time.time()) + 86400}], ids=["same", "longer"])
def test_signed_with_another_key(image, claims):
    """RS256 by a key of our own, under the service's kid, and with that key in the header."""
    key = rsa.generate_private_key(65537, 2048)

    def sign(data):
        return key.sign(data, padding.PKCS1v15(), hashes.SHA256())

    head, body = part(image.token, 0), {**part(image.token, 1), **claims}
    denied(image, join(head, body, sign))
    numbers = key.public_key().public_numbers()
    jwk = {"kty": "RSA", "n": b64(numbers.n.to_bytes(256, "big")), "e": "AQAB"}
    denied(image, join({**head, "jwk": jwk}, body, sign))
    denied(image, join({**head, "kid": "../../dev/null"}, body, sign))


def test_changed_claims(image):
    """A good signature under other claims."""
    head, _, signature = image.token.split(".")
    body = {**part(image.token, 1), "exp": int(time.time()) + 999_999}
    denied(image, f"{head}.{b64(json.dumps(body).encode())}.{signature}")


@pytest.mark.parametrize("token", ["", "a", "a.b", "..", "a.b.c", "a.b.c.d", "é.é.é", "e30.e30.", "x" * 20000,
                                   b64(b"{" * 3000) + "." + b64(b"[" * 3000) + ".AA"])
def test_garbage(image, token):
    """What is no token at all: 401 (or 400, 431 where no header can be so)."""
    answer = image.manifest("v1", auth=f"Bearer {token}".encode("utf-8").decode("latin-1"))
    expect(answer, 400, 401, 431)


def test_token_of_another_sundog(image):
    """Foreign: the same name and audience, but another service's key."""
    with Sundog() as other:
        registry = web.by_path(other)
        repository = registry.repository(image.name)
        repository.image("v1")
        token = access_token(registry, f"repository:{repository.full}:pull,push")
        expect(repository.manifest("v1", auth=f"Bearer {token}"), 200)
        denied(image, token)


def test_refresh_token_is_no_access_token(image):
    """A refresh token opens nothing as Bearer."""
    answer = image.registry.get(token_query(image.registry, f"repository:{image.full}:pull", offline_token="true"))
    denied(image, answer.json()["refresh_token"])


@pytest.mark.parametrize("header", ["Basic", "Basic !!!", "Basic " + b64(b"nocolon"), "Bearer", "Digest x=y",
                                    "Negotiate abc", "Basic " + "QQ" * 9000])
def test_odd_authorization(image, header):
    """Other schemes and broken Basic: 401 with a challenge, or 400/431."""
    expect(image.manifest("v1", auth=header), 400, 401, 431)


def test_no_secret_is_written_down(sundog, image, log_folder):
    """No password, token, upload state or key in the log or on the console, whatever was sent."""
    user, password = sundog.credentials
    registry = image.registry
    wrong = "wr0ng-passw0rd-of-a-person"
    registry.get("/v2/", auth=basic(user, wrong))
    form = urllib.parse.urlencode({"grant_type": "password", "username": user, "password": wrong, "service": "sundog"})
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    registry.request("POST", "/oauth2/token", form.encode(), kind, auth=False)
    registry.request("POST", "/oauth2/token?" + form, b"", kind, auth=False)
    registry.get(f"/oauth2/token?service=sundog&password={wrong}&access_token={image.token}&refresh_token={image.token}")
    registry.get("/v2/?token=" + image.token, auth=f"Bearer {image.token}")
    registry.get("/v2/the-last-line")

    def log():
        with open(f"{log_folder}/serve.log") as file:
            return file.read() + sundog.said()
    wait_until(lambda: "/v2/the-last-line" in log(), "all lines are written")
    written = log()
    secrets = [password, wrong, image.token.split(".")[2], basic(user, password).split()[1],
               *(value for key, value in sundog.admin.items() if "assword" in key or "ecret" in key)]
    for secret in secrets:
        assert secret not in written


def test_secrets_are_private_files(sundog):
    """admin.json, keys and the secret are for their owner only."""
    private = [f"{sundog.data}/admin.json", f"{sundog.data}/secret.key"]
    private += [path for path in glob.glob(f"{sundog.data}/tls/*") if "key" in os.path.basename(path)]
    for path in private:
        assert os.stat(path).st_mode & 0o077 == 0, path


def test_z_wrong_passwords_are_slowed_down():
    """Failed logins are rate limited: 429 with Retry-After; sessions that exist go on."""
    with Sundog() as server:
        registry = web.by_path(server)
        repository = registry.repository()
        repository.image("v1")
        token = access_token(registry, f"repository:{repository.full}:pull")
        user = server.credentials[0]
        for attempt in range(400):
            answer = registry.get("/oauth2/token?service=sundog", auth=basic(user, f"guess{attempt}"))
            if answer.status == 429:
                break
            refused(answer, 401, "UNAUTHORIZED")
        refused(answer, 429, "TOOMANYREQUESTS")
        assert int(answer["Retry-After"]) > 0
        assert server.status("/readyz") == 200
        expect(repository.manifest("v1", auth=f"Bearer {token}"), 200)
