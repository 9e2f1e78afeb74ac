"""The token endpoint in all its forms, scopes, and challenges (facts 2.2)."""

import base64
import json
import re
import time
import urllib.parse

import pytest

from harness.web import OCI_MANIFEST, basic, digest_of, expect, refused

pytestmark = pytest.mark.usefixtures("sundog")  # the token flow is Sundog's and ACR's, not any registry's


def challenge_of(answer):
    header = answer["WWW-Authenticate"]
    assert header.startswith("Bearer "), header
    return dict(re.findall(r'(\w+)="([^"]*)"', header))


def claims(token):
    part = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def service(registry):
    return challenge_of(registry.get("/v2/", auth=False))["service"]


def by_get(registry, *scopes, auth=True, **more):
    query = [("service", service(registry)), *(("scope", scope) for scope in scopes), *more.items()]
    return registry.get("/oauth2/token?" + urllib.parse.urlencode(query), auth=auth)


def post(registry, path, form, auth=False):
    pairs = list(form.items() if isinstance(form, dict) else form)
    return registry.request("POST", path, urllib.parse.urlencode(pairs).encode(),
                            {"Content-Type": "application/x-www-form-urlencoded"}, auth=auth)


def token_for(registry, *scopes):
    return "Bearer " + expect(by_get(registry, *scopes), 200).json()["access_token"]


@pytest.fixture
def image(repository):
    repository.digest, repository.data = repository.image("v1")
    return repository


def scope(repository, actions):
    """The scope as a challenge names it: the repository as the path names it."""
    return f"repository:{repository.full}:{actions}"


@pytest.mark.parametrize("method, path, action", [
    ("GET", "/manifests/v1", "pull"), ("GET", "/tags/list", "(pull|metadata_read)"),
    ("POST", "/blobs/uploads/", "(pull,push|push,pull|push)"),
    ("DELETE", "/manifests/sha256:" + "0" * 64, "delete"),
])
def test_challenge_names_the_scope(image, method, path, action):
    """401 with realm, service and `scope="repository:NAME:ACTION"`; error body with its detail."""
    answer = refused(image.request(method, path, auth=False), 401, "UNAUTHORIZED")
    found = challenge_of(answer)
    assert found["realm"] == image.registry.root + "/oauth2/token"
    assert re.fullmatch(f"repository:{re.escape(image.full)}:{action}", found["scope"]), found["scope"]
    detail = answer.json()["errors"][0]["detail"]
    assert detail[0]["Type"] == "repository"
    assert detail[0]["Name"] in (image.full, image.name)
    assert detail[0]["Action"]


def test_challenge_text(image):
    """The text of the real service."""
    answer = image.registry.acr(f"{image.name}", "PATCH", {"writeEnabled": False}, auth=False)
    refused(answer, 401, "UNAUTHORIZED")
    assert answer.json()["errors"][0]["message"] == (
        "authentication required, visit https://aka.ms/acr/authorization for more information.")
    assert challenge_of(answer)["scope"].endswith(":metadata_write")


def test_challenge_of_the_catalog(registry):
    """Scope `registry:catalog:*` for the catalog."""
    for path in ("/v2/_catalog", f"/acr/v1/{registry.prefix}_catalog"):
        answer = refused(registry.get(path, auth=False), 401, "UNAUTHORIZED")
        assert challenge_of(answer)["scope"] == "registry:catalog:*"


def test_get_with_basic(image):
    """docker's flow: GET /oauth2/token with Basic → {"access_token"}; the token pulls."""
    answer = expect(by_get(image.registry, scope(image, "pull"), account="x", client_id="docker"), 200)
    token = answer.json()["access_token"]
    assert answer.json().get("token", token) == token
    assert expect(image.manifest("v1", auth=f"Bearer {token}"), 200).body == image.data


def test_offline_token(image):
    """offline_token=true → a refresh token too, which POST takes."""
    answer = expect(by_get(image.registry, scope(image, "pull"), offline_token="true"), 200).json()
    form = {"grant_type": "refresh_token", "service": service(image.registry), "scope": scope(image, "pull"),
            "refresh_token": answer["refresh_token"]}
    token = expect(post(image.registry, "/oauth2/token", form), 200).json()["access_token"]
    expect(image.manifest("v1", auth=f"Bearer {token}"), 200)


def test_post_password(image):
    """grant_type=password, as az sends it with -u/-p."""
    user, password = image.registry.credentials
    form = {"grant_type": "password", "username": user, "password": password, "service": service(image.registry),
            "scope": scope(image, "pull"), "client_id": "docker"}
    token = expect(post(image.registry, "/oauth2/token", form), 200).json()["access_token"]
    expect(image.manifest("v1", auth=f"Bearer {token}"), 200)


def test_post_password_without_user(image):
    """The anonymous SDK client sends grant_type=password with no username: 401 without anonymous pull."""
    form = {"grant_type": "password", "service": service(image.registry), "scope": scope(image, "pull")}
    answer = expect(post(image.registry, "/oauth2/token", form), 401)
    assert "access_token" not in answer.body.decode()


@pytest.mark.parametrize("form", [
    {}, {"grant_type": "nonsense"}, {"grant_type": "refresh_token"},
    {"grant_type": "refresh_token", "refresh_token": "a.b.c"}, {"grant_type": "password", "username": "x"},
])
def test_bad_forms(registry, form):
    """400 or 401, never a token."""
    answer = expect(post(registry, "/oauth2/token", {**form, "service": service(registry)}), 400, 401)
    assert b"access_token" not in answer.body


def test_wrong_password(registry):
    """Basic with a wrong password → 401 at the token endpoint."""
    answer = by_get(registry, auth=basic(registry.credentials[0], "wrong"))
    refused(answer, (401, 429), "UNAUTHORIZED", "TOOMANYREQUESTS")


def test_anonymous_gets_nothing(image):
    """Without anonymous pull a token request without credentials is refused, or grants no access."""
    answer = by_get(image.registry, scope(image, "pull"), auth=False)
    if answer.status == 200:
        assert not claims(answer.json()["access_token"]).get("access")
    else:
        expect(answer, 401)


def test_claims(image):
    """Access-token claims: jti, sub, nbf, exp, iat, iss, aud, version, access, grant_type; RS256 with kid."""
    token = expect(by_get(image.registry, scope(image, "pull,push")), 200).json()["access_token"]
    found, now = claims(token), time.time()
    assert found["iss"] == "Azure Container Registry"
    assert found["aud"] == service(image.registry)
    assert found["version"] == "1.0"
    assert found["grant_type"] == "access_token"
    assert found["jti"] and found["sub"]
    assert found["nbf"] <= now + 5 < found["exp"]
    assert sorted(found["access"][0]["actions"]) == ["pull", "push"]
    assert found["access"][0]["type"] == "repository"
    head = json.loads(base64.urlsafe_b64decode(token.split(".")[0] + "=="))
    assert head["alg"] == "RS256" and head["kid"]


def test_scope_too_small(image):
    """"with a token of too small a scope the same plus error=…": a 401 with a new challenge, no 403."""
    token = token_for(image.registry, scope(image, "pull"))
    expect(image.manifest("v1", auth=token), 200)
    answer = refused(image.request("POST", "/blobs/uploads/", auth=token), 401, "UNAUTHORIZED")
    found = challenge_of(answer)
    assert found["error"] in ("insufficient_scope", "invalid_token")
    assert "push" in found["scope"]
    answer = refused(image.delete(f"/manifests/{image.digest}", auth=token), 401, "UNAUTHORIZED")
    assert "delete" in challenge_of(answer)["scope"]
    expect(image.manifest("v1"), 200)


def test_scope_of_another_repository(image, registry):
    """A token for one repository opens no other one."""
    other = registry.repository()
    other.image("v1")
    token = token_for(registry, scope(other, "pull,push,delete"))
    expect(other.manifest("v1", auth=token), 200)
    refused(image.manifest("v1", auth=token), 401, "UNAUTHORIZED")


@pytest.mark.parametrize("joined", [True, False])
def test_several_scopes(image, registry, joined):
    """"Multiple scopes: the parameter repeated (and space separated)"."""
    other = registry.repository()
    other.image("v1")
    scopes = [scope(image, "pull"), scope(other, "pull")]
    token = token_for(registry, *([" ".join(scopes)] if joined else scopes))
    for repository in (image, other):
        expect(repository.manifest("v1", auth=token), 200)


def test_metadata_scopes(image):
    """metadata_read and metadata_write open /acr/v1 and nothing else."""
    path = f"/acr/v1/{image.registry.prefix}{image.name}"
    reads = token_for(image.registry, scope(image, "metadata_read"))
    expect(image.registry.get(path, auth=reads), 200)
    body = {"Content-Type": "application/json"}
    refused(image.registry.request("PATCH", path, b"{}", body, auth=reads), 401, "UNAUTHORIZED")
    writes = token_for(image.registry, scope(image, "metadata_write"))
    expect(image.registry.request("PATCH", path, b"{}", body, auth=writes), 200)
    refused(image.manifest("v1", auth=writes), 401, "UNAUTHORIZED")


def test_catalog_scope(registry, image):
    """registry:catalog:* opens the catalog."""
    token = token_for(registry, "registry:catalog:*")
    expect(registry.get("/v2/_catalog?n=1", auth=token), 200)
    refused(image.manifest("v1", auth=token), 401, "UNAUTHORIZED")


@pytest.mark.parametrize("text", ["", "nonsense", "repository:", "repository:a", "repository:..:pull", ":::",
                                  "repository:UPPER:pull", "registry:catalog", "a" * 5000])
def test_odd_scopes(registry, text):
    """What is no scope grants nothing, and does no harm."""
    answer = by_get(registry, text)
    if expect(answer, 200, 400).status == 200:
        assert not claims(answer.json()["access_token"]).get("access")


def test_push_with_token(registry):
    """A whole push with one Bearer token, upload by mount from another repository included."""
    source, target = registry.repository(), registry.repository()
    digest = source.blob(b"a blob to mount")
    token = token_for(registry, scope(target, "pull,push"), scope(source, "pull"))
    answer = target.request("POST", f"/blobs/uploads/?mount={digest}&from={source.full}", auth=token)
    expect(answer, 201)
    expect(target.put("v1", b'{"schemaVersion":2,"manifests":[]}', "application/vnd.oci.image.index.v1+json",
                      auth=token), 201)


def test_mount_needs_pull_at_the_source(registry):
    """A token without pull at the source does not mount from it: an upload session instead."""
    source, target = registry.repository(), registry.repository()
    digest = source.blob(b"a blob that must not leak")
    token = token_for(registry, scope(target, "pull,push"))
    expect(target.request("POST", f"/blobs/uploads/?mount={digest}&from={source.full}", auth=token), 202, 401)
    refused(target.get(f"/blobs/{digest}", auth=token), 404, "BLOB_UNKNOWN", "NAME_UNKNOWN")


def test_null_guid_user(image):
    """User 00000000-0000-0000-0000-000000000000 + a refresh or access token as password."""
    answer = expect(by_get(image.registry, scope(image, "pull"), offline_token="true"), 200).json()
    for token in (answer["refresh_token"], answer["access_token"]):
        auth = basic("00000000-0000-0000-0000-000000000000", token)
        expect(image.manifest("v1", auth=auth), 200)


def test_unknown_digest_is_challenged_first(image):
    """Who may not read does not learn what is there: 401 before 404."""
    refused(image.get(f"/blobs/{digest_of(b'none')}", auth=False), 401, "UNAUTHORIZED")
    refused(image.put("v9", image.data, OCI_MANIFEST, auth=False), 401, "UNAUTHORIZED")
