"""Every URL the service answers works when it is reached as localhost, 127.0.0.1, another host
name and through a mapped port, plain and by TLS."""

import json
import re
import urllib.parse

import pytest

from harness import web
from harness.forward import Forward
from harness.web import expect

REACHED = ["localhost", "127.0.0.1", "other name", "mapped port", "name without port"]


@pytest.fixture(params=[f"{scheme} {how}" for scheme in ("http", "https") for how in REACHED]
                + ["https by name", "https by name, mapped port", "https azurecr.io"])
def registry(request, sundog):
    scheme, _, how = request.param.partition(" ")
    port = sundog.port("plain" if scheme == "http" else "https")
    with Forward(port) as mapped:
        hosts = {
            "localhost": f"localhost:{port}", "127.0.0.1": f"127.0.0.1:{port}",
            "other name": f"registry.example:{port}", "mapped port": f"localhost:{mapped.port}",
            "name without port": "registry.example", "by name": f"sundog.azurecr.localhost:{port}",
            "by name, mapped port": f"sundog.azurecr.localhost:{mapped.port}", "azurecr.io": "sundog.azurecr.io",
        }
        host = hosts[how]
        prefix = "" if "azurecr" in host else "sundog/"
        real = f"127.0.0.1:{mapped.port if 'mapped' in how else port}"
        transport = AsHost(sundog, scheme, host, real)
        yield web.Registry(f"{scheme}://{host}", prefix, sundog.credentials, transport)


class AsHost:
    """Sends everything to one address, and fails when a URL leads to another host."""

    def __init__(self, sundog, scheme, host, real):
        self.begin, self.real, self.host = f"{scheme}://{host}/", f"{scheme}://{real}/", host
        # a name that the certificate does not have is no matter of this test
        self.options = ["--insecure"] if "example" in host else ["--cacert", sundog.ca]
        name, _, port = host.partition(":")
        default = "443" if scheme == "https" else "80"
        self.curl = web.Curl(options=["--http1.1", *self.options, "--connect-to",
                                      f"{name}:{port or default}:{real}"])

    def __call__(self, method, url, body=None, headers=()):
        assert url.startswith(self.begin), f"the URL {url} leads away from {self.begin}"
        return self.curl(method, url, body, headers)


def test_challenge(registry):
    """The token realm is where the client came to, and answers there."""
    answer = expect(registry.get("/v2/", auth=False), 401)
    realm, service = re.search(r'realm="([^"]*)",service="([^"]*)"', answer["WWW-Authenticate"]).groups()
    token = expect(registry.get(f"{realm}?service={urllib.parse.quote(service)}"), 200).json()["access_token"]
    expect(registry.get("/v2/", auth=f"Bearer {token}"), 200)


def test_upload_and_manifest_locations(registry):
    """Location of POST, PATCH, PUT and of a manifest."""
    repository = registry.repository()
    data = b"by way of Location"
    url = repository.start()
    answer = expect(repository.patch(url, data), 202)
    expect(repository.get(registry.follow(answer)), 204)
    answer = expect(repository.finish(registry.follow(answer), web.digest_of(data)), 201)
    assert expect(registry.get(registry.follow(answer)), 200).body == data
    manifest = json.dumps(web.image_index([])).encode()
    answer = expect(repository.put("v1", manifest, web.OCI_INDEX), 201)
    assert expect(registry.get(registry.follow(answer)), 200).body == manifest
    digest = web.digest_of(data)
    answer = expect(registry.repository().request("POST", f"/blobs/uploads/?mount={digest}&from={repository.full}"), 201)
    assert expect(registry.get(registry.follow(answer)), 200).body == data


@pytest.mark.parametrize("path", ["tags/list", "_tags", "_manifests"])
def test_links(registry, path):
    """Link of lists."""
    repository = registry.repository()
    for number in range(3):
        expect(repository.put(f"v{number}", {**web.image_index([]), "annotations": {"n": str(number)}},
                              web.OCI_INDEX), 201)
    if path == "tags/list":
        answer = repository.tags("?n=1")
    else:
        answer = registry.acr(f"{repository.name}/{path}?n=1")
    link = re.match(r"<([^>]*)>", expect(answer, 200)["Link"])[1]
    expect(registry.get(urllib.parse.urljoin(answer.url, link)), 200)
