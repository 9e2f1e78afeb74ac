"""end-1: GET /v2/, and the challenge that leads a client to the token endpoint."""

import re

from harness.web import expect, refused


def test_base_answers_200(registry):
    """end-1: "GET /v2/" → 200 for a client with credentials."""
    expect(registry.get("/v2/"), 200)


def test_base_without_credentials_is_challenged(registry):
    """end-1: 401 with `WWW-Authenticate: Bearer realm=…,service=…` and an OCI error body."""
    answer = refused(registry.get("/v2/", auth=False), 401, "UNAUTHORIZED")
    challenge = answer["WWW-Authenticate"]
    assert challenge.startswith("Bearer "), challenge
    parts = dict(re.findall(r'(\w+)="([^"]*)"', challenge))
    assert parts["realm"] == registry.root + "/oauth2/token"
    assert parts["service"]


def test_base_with_wrong_password_is_refused(registry):
    """end-1: Basic with a wrong password → 401."""
    from harness.web import basic

    user = registry.credentials[0] if registry.credentials else "nobody"
    refused(registry.get("/v2/", auth=basic(user + "x", "wrong")), (401, 429), "UNAUTHORIZED", "TOOMANYREQUESTS")


def test_base_names_the_api_version(registry):
    """Every real answer carries `Docker-Distribution-Api-Version: registry/2.0`."""
    assert registry.get("/v2/")["Docker-Distribution-Api-Version"] == "registry/2.0"


def test_base_accepts_head(registry):
    """HEAD /v2/ answers as GET does, without a body."""
    answer = expect(registry.request("HEAD", "/v2/"), 200)
    assert answer.body == b""


def test_unknown_route_is_a_json_404(registry):
    """Errors are JSON of the form {"errors":[{"code","message","detail"}]}."""
    answer = expect(registry.get(f"/v2/{registry.prefix}a/b/nothing/here"), 404)
    assert answer.codes()


def test_wrong_method_is_405(registry):
    """UNSUPPORTED: "The operation is unsupported." for a method the path does not know."""
    repository = registry.repository()
    refused(repository.request("POST", "/tags/list", b""), 405, "UNSUPPORTED")
