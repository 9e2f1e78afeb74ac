"""A small HTTP client that hides nothing: raw paths, exact headers, own Host; HTTP/1.1 by
http.client, HTTP/2 by curl. A Registry is one registry as one client reaches it."""

import base64
import hashlib
import http.client
import json
import os
import re
import secrets
import ssl
import subprocess
import tempfile
import urllib.parse

TIMEOUT_S = 120

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar"
OCI_EMPTY = "application/vnd.oci.empty.v1+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
MANIFEST_TYPES = ", ".join((OCI_MANIFEST, OCI_INDEX, DOCKER_MANIFEST, DOCKER_LIST))


def digest_of(data, algorithm="sha256"):
    return f"{algorithm}:{hashlib.new(algorithm, data).hexdigest()}"


class Answer:
    def __init__(self, status, headers, body, url, version="1.1"):
        self.status, self.headers, self.body = status, headers, body
        self.url, self.version = url, version

    def all(self, name):
        return [value for key, value in self.headers if key.lower() == name.lower()]

    def header(self, name, default=None):
        return next(iter(self.all(name)), default)

    def __getitem__(self, name):
        value = self.header(name)
        assert value is not None, f"no header {name} in {self!r}"
        return value

    def json(self):
        return json.loads(self.body)

    def codes(self):
        """The codes of an OCI error body."""
        try:
            return [error["code"] for error in self.json()["errors"]]
        except (ValueError, KeyError, TypeError) as error:
            raise AssertionError(f"no OCI error body in {self!r}") from error

    def __repr__(self):
        head = "".join(f"\n  {key}: {value}" for key, value in self.headers)
        return f"{self.status} of {self.url}{head}\n  {self.body[:500]!r}"


def expect(answer, *statuses):
    assert answer.status in statuses, f"expected {' or '.join(map(str, statuses))}, got {answer!r}"
    return answer


def refused(answer, status, *codes):
    """The answer is this refusal, with one of these codes in an OCI error body."""
    statuses = status if isinstance(status, tuple) else (status,)
    expect(answer, *statuses)
    found = answer.codes()
    assert found and found[0] in codes, f"expected code {codes}, got {answer!r}"
    assert all(isinstance(error.get("message"), str) for error in answer.json()["errors"]), answer
    return answer


def basic(user, password):
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


class Http1:
    """HTTP/1.1 with kept connections; connect_to sends a name to another address."""

    def __init__(self, cafile=None, connect_to=None):
        self.tls = ssl.create_default_context(cafile=cafile) if cafile else None
        self.connect_to = connect_to
        self.kept = {}

    def connection(self, scheme, netloc):
        host, port = (self.connect_to or netloc).rsplit(":", 1)
        host = host.strip("[]")
        if scheme == "http":
            return http.client.HTTPConnection(host, int(port), timeout=TIMEOUT_S)
        connection = http.client.HTTPSConnection(host, int(port), timeout=TIMEOUT_S, context=self.tls)
        name = netloc.rsplit(":", 1)[0].strip("[]")
        if name != host:
            connection.connect = lambda: _connect_as(connection, name, self.tls)
        return connection

    def __call__(self, method, url, body=None, headers=()):
        scheme, rest = url.split("://", 1)
        netloc, slash, path = rest.partition("/")
        for attempt in (1, 2):
            connection = self.kept.pop((scheme, netloc), None) or self.connection(scheme, netloc)
            fresh = connection.sock is None
            try:
                connection.putrequest(method, slash + path or "/", skip_host=True, skip_accept_encoding=True)
                given = {name.lower() for name, _ in headers}
                if "host" not in given:
                    connection.putheader("Host", netloc)
                for name, value in headers:
                    connection.putheader(name, value)
                chunked = body is not None and not isinstance(body, bytes)
                if chunked and "transfer-encoding" not in given:
                    connection.putheader("Transfer-Encoding", "chunked")
                elif body is not None and not chunked and "content-length" not in given:
                    connection.putheader("Content-Length", str(len(body)))
                elif body is None and method in ("POST", "PUT", "PATCH") and "content-length" not in given:
                    connection.putheader("Content-Length", "0")
                connection.endheaders(body, encode_chunked=chunked)
                reply = connection.getresponse()
                answer = Answer(reply.status, reply.getheaders(), reply.read(), url)
            except (http.client.BadStatusLine, ConnectionError, ssl.SSLEOFError, ssl.SSLZeroReturnError):
                connection.close()
                if fresh or attempt == 2:  # a kept connection may have been closed meanwhile
                    raise
                continue
            if reply.will_close:
                connection.close()
            else:
                self.kept[scheme, netloc] = connection
            return answer
        raise AssertionError("not reached")


def _connect_as(connection, name, tls):
    http.client.HTTPConnection.connect(connection)
    connection.sock = tls.wrap_socket(connection.sock, server_hostname=name)


class Curl:
    """The same by curl, which speaks HTTP/2."""

    def __init__(self, cafile=None, options=("--http2",), connect_to=None):
        self.options = list(options) + (["--cacert", cafile] if cafile else [])
        if connect_to:
            self.options += ["--connect-to", f"::{connect_to}"]

    def __call__(self, method, url, body=None, headers=()):
        with tempfile.TemporaryDirectory(dir=os.environ.get("SUNDOG_TEST_RUN")) as folder:
            command = ["curl", "-sS", "-g", "--path-as-is", "--max-time", str(TIMEOUT_S), "-D", f"{folder}/head"]
            command += ["-o", f"{folder}/body", "-w", "%{http_version}", *self.options]
            command += ["-I"] if method == "HEAD" else ["-X", method]
            given = {name.lower() for name, _ in headers}
            for name, value in headers:
                command += ["-H", f"{name}: {value}"]
            if body is not None:
                body = body if isinstance(body, bytes) else b"".join(body)
                command += ["--data-binary", "@-"]
                if "content-type" not in given:
                    command += ["-H", "Content-Type:"]
            result = subprocess.run([*command, url], input=body, capture_output=True, timeout=TIMEOUT_S)
            assert result.returncode == 0, f"curl ended with {result.returncode}: {result.stderr.decode()}"
            with open(f"{folder}/head", "rb") as file:
                blocks = re.split(rb"\r?\n\r?\n", file.read().strip())
            lines = blocks[-1].decode("latin-1").splitlines()
            content = b""
            if method != "HEAD" and os.path.exists(f"{folder}/body"):
                with open(f"{folder}/body", "rb") as file:
                    content = file.read()
        pairs = [(key.strip(), value.strip()) for key, _, value in (line.partition(":") for line in lines[1:])]
        return Answer(int(lines[0].split()[1]), pairs, content, url, result.stdout.decode().strip())


class Registry:
    """One registry reached one way: `root` (scheme://host:port), the prefix that names it in
    paths ("sundog/" by path, "" by name), credentials, and what carries the requests."""

    def __init__(self, root, prefix, credentials, send, name="sundog"):
        self.root, self.prefix, self.send, self.name = root.rstrip("/"), prefix, send, name
        self.credentials = credentials

    def request(self, method, path, body=None, headers=(), auth=True):
        """path is absolute ("/v2/…", "/acr/v1/…") or a whole URL, as a Location may be."""
        headers = list(headers.items() if isinstance(headers, dict) else headers)
        if auth is True and self.credentials:
            headers.append(("Authorization", basic(*self.credentials)))
        elif isinstance(auth, str):
            headers.append(("Authorization", auth))
        url = path if "://" in path else self.root + path
        return self.send(method, url, body, headers)

    def get(self, path, **options):
        return self.request("GET", path, **options)

    def follow(self, answer, header="Location"):
        """The absolute URL of an answer's Location."""
        return urllib.parse.urljoin(answer.url, answer[header])

    def acr(self, path, method="GET", body=None, **options):
        headers = {"Content-Type": "application/json"} if body is not None else {}
        data = json.dumps(body).encode() if body is not None else None
        return self.request(method, f"/acr/v1/{self.prefix}{path}", data, headers, **options)

    def repository(self, name=None):
        return Repository(self, name or f"t/{secrets.token_hex(6)}")


def with_query(url, **query):
    """The URL with parameters added, whatever it already has."""
    return url + ("&" if "?" in url else "?") + urllib.parse.urlencode(query, safe=":")


class Repository:
    """One repository of a registry, and the calls clients make there."""

    def __init__(self, registry, name):
        self.registry, self.name = registry, name
        self.full = registry.prefix + name
        self.path = f"/v2/{self.full}"

    def request(self, method, path, body=None, headers=(), **options):
        headers = list(headers.items() if isinstance(headers, dict) else headers)
        if path.startswith("/manifests/") and not any(name.lower() == "accept" for name, _ in headers):
            headers.append(("Accept", MANIFEST_TYPES))
        return self.registry.request(method, self.path + path if "://" not in path else path, body, headers, **options)

    def get(self, path, **options):
        return self.request("GET", path, **options)

    def head(self, path, **options):
        return self.request("HEAD", path, **options)

    def delete(self, path, **options):
        return self.request("DELETE", path, **options)

    # uploads

    def start(self, query="", **options):
        """POST blobs/uploads/: answers the URL of the new upload."""
        answer = expect(self.request("POST", "/blobs/uploads/" + query, **options), 202)
        return self.registry.follow(answer)

    def patch(self, url, data, content_range=None, **options):
        headers = {"Content-Type": "application/octet-stream"}
        if content_range:
            headers["Content-Range"] = content_range
        return self.request("PATCH", url, data, headers, **options)

    def finish(self, url, digest, data=None, headers=()):
        headers = dict(headers)
        if data is not None:
            headers.setdefault("Content-Type", "application/octet-stream")
        return self.request("PUT", with_query(url, digest=digest), data, headers)

    def blob(self, data, algorithm="sha256"):
        """Uploads a blob by POST + PUT and answers its digest."""
        digest = digest_of(data, algorithm)
        expect(self.finish(self.start(), digest, data), 201)
        return digest

    # manifests

    def put(self, reference, manifest, media_type=None, query="", **options):
        data = manifest if isinstance(manifest, bytes) else json.dumps(manifest).encode()
        media_type = media_type or json.loads(data).get("mediaType", OCI_MANIFEST)
        return self.request("PUT", f"/manifests/{reference}{query}", data, {"Content-Type": media_type}, **options)

    def manifest(self, reference, **options):
        return self.get(f"/manifests/{reference}", **options)

    def tags(self, query=""):
        return self.get("/tags/list" + query)

    def image(self, tag=None, salt=None, **extra):
        """Pushes a small image of its own (config and one layer); answers (digest, bytes)."""
        salt = salt or secrets.token_hex(8)
        config = json.dumps({"architecture": "amd64", "os": "linux", "salt": salt,
                             "rootfs": {"type": "layers", "diff_ids": []}}).encode()
        layer = f"layer {salt}".encode()
        self.blob(config)
        self.blob(layer)
        data = json.dumps(image_manifest(config, [layer], **extra)).encode()
        digest = digest_of(data)
        expect(self.put(tag or digest, data, OCI_MANIFEST), 201)
        return digest, data


def descriptor(data, media_type, **extra):
    return {"mediaType": media_type, "digest": digest_of(data), "size": len(data), **extra}


def image_manifest(config, layers, config_type=OCI_CONFIG, **extra):
    return {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": descriptor(config, config_type),
        "layers": [descriptor(layer, OCI_LAYER) for layer in layers],
        **extra,
    }


def image_index(manifests, **extra):
    """manifests: pairs of (bytes, media type) or ready descriptors."""
    described = [m if isinstance(m, dict) else descriptor(*m) for m in manifests]
    return {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": described, **extra}


def by_path(server, transport=None):
    return Registry(server.plain, "sundog/", server.credentials, transport or Http1())


def by_name(server, transport=None, name="sundog.azurecr.localhost"):
    port = server.port("https")
    transport = transport or Http1(server.ca, f"127.0.0.1:{port}")
    return Registry(f"https://{name}:{port}", "", server.credentials, transport)


def by_http2(server):
    """By path over TLS on a name that offers HTTP/2."""
    port = server.port("https")
    return Registry(f"https://localhost:{port}", "sundog/", server.credentials,
                    Curl(server.ca, connect_to=f"127.0.0.1:{port}"))
