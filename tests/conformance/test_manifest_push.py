"""end-7: manifests of every kind are taken and kept byte for byte; bad ones are refused."""

import json

import pytest

from harness import web
from harness.web import digest_of, expect, refused


@pytest.fixture
def parts(repository):
    """A config and a layer that are in the repository."""
    config, layer = b'{"architecture":"amd64","os":"linux"}', b"the layer"
    repository.blob(config)
    repository.blob(layer)
    return config, layer


def kept(repository, reference, data, media_type):
    """The manifest comes back as the very bytes, with type, length and digest."""
    answer = expect(repository.get(f"/manifests/{reference}"), 200)
    assert answer.body == data
    assert answer["Content-Type"] == media_type
    assert answer["Content-Length"] == str(len(data))
    assert answer["Docker-Content-Digest"] == digest_of(data)


def push(repository, reference, data, media_type):
    data = data if isinstance(data, bytes) else json.dumps(data).encode()
    answer = expect(repository.put(reference, data, media_type), 201)
    assert answer["Docker-Content-Digest"] == digest_of(data)
    pulled = repository.registry.get(repository.registry.follow(answer), headers={"Accept": web.MANIFEST_TYPES})
    assert expect(pulled, 200).body == data
    kept(repository, reference, data, media_type)
    kept(repository, digest_of(data), data, media_type)


def test_by_tag(repository, parts):
    """end-7: PUT manifests/<tag> → 201 with a Location that can be pulled."""
    push(repository, "v1", web.image_manifest(parts[0], [parts[1]]), web.OCI_MANIFEST)


def test_by_digest(repository, parts):
    """end-7: PUT manifests/<digest> → 201."""
    data = json.dumps(web.image_manifest(parts[0], [parts[1]])).encode()
    push(repository, digest_of(data), data, web.OCI_MANIFEST)


def test_by_sha512_digest(repository, parts):
    """"sha512 for blobs, manifests, tags": Docker-Content-Digest in the digest's own algorithm."""
    data = json.dumps(web.image_manifest(parts[0], [parts[1]])).encode()
    digest = digest_of(data, "sha512")
    answer = expect(repository.put(digest, data, web.OCI_MANIFEST), 201)
    assert answer["Docker-Content-Digest"] == digest
    for method in ("GET", "HEAD"):
        answer = expect(repository.request(method, f"/manifests/{digest}"), 200)
        assert answer["Docker-Content-Digest"] == digest
    assert expect(repository.manifest(digest), 200).body == data


def test_sha512_manifest_with_tag_parameter(repository, parts):
    """end-7b (main): tags for a manifest pushed by sha512 digest answer that digest."""
    data = json.dumps(web.image_manifest(parts[0], [parts[1]], annotations={"a": "512"})).encode()
    digest = digest_of(data, "sha512")
    expect(repository.put(digest, data, web.OCI_MANIFEST, "?tag=strong"), 201)
    answer = expect(repository.manifest("strong"), 200)
    assert answer.body == data
    assert answer["Docker-Content-Digest"] == digest


def test_image_of_sha512_blobs(repository):
    """A manifest may name its blobs by sha512."""
    config, layer = b'{"os":"linux","architecture":"arm64"}', b"strong layer"
    manifest = web.image_manifest(config, [layer])
    manifest["config"]["digest"] = repository.blob(config, "sha512")
    manifest["layers"][0]["digest"] = repository.blob(layer, "sha512")
    push(repository, "strong-blobs", manifest, web.OCI_MANIFEST)


def test_bytes_are_kept(repository, parts):
    """"Manifests kept byte for byte": odd spacing, order and escapes come back as they came."""
    plain = json.dumps(web.image_manifest(parts[0], [parts[1]], annotations={"ü": "/"}), indent=3)
    data = ("\n " + plain.replace('"/"', '"\\/"') + "\r\n\t").encode()
    push(repository, "spaced", data, web.OCI_MANIFEST)


def test_docker_schema_2(repository, parts):
    """Docker schema 2."""
    manifest = web.image_manifest(parts[0], [parts[1]], "application/vnd.docker.container.image.v1+json")
    manifest["mediaType"] = web.DOCKER_MANIFEST
    manifest["layers"][0]["mediaType"] = "application/vnd.docker.image.rootfs.diff.tar.gzip"
    push(repository, "docker", manifest, web.DOCKER_MANIFEST)


def test_docker_manifest_list(repository):
    """Docker manifest lists."""
    _, data = repository.image()
    index = web.image_index([(data, web.DOCKER_MANIFEST)])
    index["mediaType"] = web.DOCKER_LIST
    index["manifests"][0]["platform"] = {"architecture": "amd64", "os": "linux"}
    push(repository, "list", index, web.DOCKER_LIST)


def test_index(repository):
    """An OCI index of two images."""
    index = web.image_index([(repository.image()[1], web.OCI_MANIFEST) for _ in range(2)])
    push(repository, "index", index, web.OCI_INDEX)


def test_nested_index(repository):
    """Nested index: an index that names an index."""
    inner = json.dumps(web.image_index([(repository.image()[1], web.OCI_MANIFEST)])).encode()
    push(repository, digest_of(inner), inner, web.OCI_INDEX)
    push(repository, "outer", web.image_index([(inner, web.OCI_INDEX)]), web.OCI_INDEX)


def test_empty_index(repository):
    """Empty index: no manifests at all."""
    push(repository, "empty", web.image_index([]), web.OCI_INDEX)


def test_sparse_index(repository):
    """"(SPARSE) index with absent children" is accepted."""
    absent = {"mediaType": web.OCI_MANIFEST, "digest": digest_of(b"absent"), "size": 6}
    push(repository, "sparse", web.image_index([absent]), web.OCI_INDEX)


def test_no_layers(repository, parts):
    """An image without layers."""
    push(repository, "bare", web.image_manifest(parts[0], []), web.OCI_MANIFEST)


def test_artifact(repository):
    """An artifact: artifactType, empty config."""
    repository.blob(b"{}")
    manifest = web.image_manifest(b"{}", [b"{}"], web.OCI_EMPTY, artifactType="application/x.thing")
    push(repository, "artifact", manifest, web.OCI_MANIFEST)


def test_oras_artifact_manifest(repository):
    """ACR takes the ORAS artifact manifest and the retired OCI artifact manifest."""
    digest = repository.blob(b"a bill of materials")
    for media_type in ("application/vnd.cncf.oras.artifact.manifest.v1+json",
                       "application/vnd.oci.artifact.manifest.v1+json"):
        blob = {"mediaType": "text/plain", "digest": digest, "size": 19}
        push(repository, "oras", {"mediaType": media_type, "artifactType": "x/y", "blobs": [blob]}, media_type)


def test_unknown_fields(repository, parts):
    """Unknown extra fields are kept and do no harm."""
    manifest = web.image_manifest(parts[0], [parts[1]], somethingNew={"deep": [1, 2.5, None, True]})
    push(repository, "fields", manifest, web.OCI_MANIFEST)


def test_data_field(repository, parts):
    """The data field of a descriptor."""
    manifest = web.image_manifest(parts[0], [parts[1]])
    manifest["layers"][0]["data"] = "dGhlIGxheWVy"
    push(repository, "data", manifest, web.OCI_MANIFEST)


def test_non_distributable_layer_need_not_be_there(repository, parts):
    """"Non-distributable layers never pushed" do not stop the manifest."""
    manifest = web.image_manifest(parts[0], [])
    for media_type in ("application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
                       "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"):
        manifest["layers"].append({"mediaType": media_type, "digest": digest_of(media_type.encode()), "size": 5,
                                   "urls": ["http://127.0.0.1/layer"]})
    push(repository, "windows", manifest, web.OCI_MANIFEST)


def test_missing_blob(repository, parts):
    """A layer or config that is not there → 400 or 404 MANIFEST_BLOB_UNKNOWN."""
    manifest = web.image_manifest(parts[0], [b"never pushed"])
    refused(repository.put("missing", manifest), (400, 404), "MANIFEST_BLOB_UNKNOWN")
    manifest = web.image_manifest(b"never pushed either", [parts[1]])
    refused(repository.put("missing", manifest), (400, 404), "MANIFEST_BLOB_UNKNOWN")
    expect(repository.manifest("missing"), 404)


def test_blob_of_another_repository_is_missing(repository, registry):
    """A blob that only another repository has does not count."""
    config, layer = b'{"private":1}', b"private layer of another repository"
    other = registry.repository()
    other.blob(config)
    other.blob(layer)
    repository.blob(b"exists")
    manifest = web.image_manifest(config, [layer])
    refused(repository.put("stolen", manifest), (400, 404), "MANIFEST_BLOB_UNKNOWN")


def test_wrong_digest(repository, parts):
    """end-7: "Manifest PUT with a wrong digest → 400", nothing stored."""
    data = json.dumps(web.image_manifest(parts[0], [parts[1]])).encode()
    wrong = digest_of(b"wrong")
    refused(repository.put(wrong, data, web.OCI_MANIFEST), 400, "DIGEST_INVALID", "MANIFEST_INVALID")
    expect(repository.manifest(wrong), 404)


@pytest.mark.parametrize("reference", ["sha256:totallywrong", "-dash", ".dot", "a" * 129, "with%20space", "a+b"])
def test_reference_that_is_no_tag_and_no_digest(repository, parts, reference):
    """end-7: → 400 on PUT, 400 or 404 on GET."""
    manifest = web.image_manifest(parts[0], [parts[1]])
    refused(repository.put(reference, manifest), 400, "MANIFEST_INVALID", "DIGEST_INVALID", "TAG_INVALID",
            "NAME_INVALID")
    refused(repository.manifest(reference), (400, 404), "MANIFEST_INVALID", "DIGEST_INVALID", "TAG_INVALID",
            "MANIFEST_UNKNOWN", "NAME_INVALID", "NAME_UNKNOWN")


@pytest.mark.parametrize("tag", ["a", "_under", "A.b-c_d", "1", "a" * 128])
def test_tags_at_the_limits(repository, parts, tag):
    """A tag is [a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}."""
    push(repository, tag, web.image_manifest(parts[0], [parts[1]]), web.OCI_MANIFEST)


def test_large_manifest(repository, parts):
    """"Manifest of 3.9 MB (390 annotations of 10 kB) must be accepted"."""
    notes = {f"note.{number}": "x" * 10_000 for number in range(390)}
    push(repository, "large", web.image_manifest(parts[0], [parts[1]], annotations=notes), web.OCI_MANIFEST)


def test_too_large_manifest(repository, parts):
    """end-7: above the limit (4 MiB) → 413, nothing stored."""
    notes = {f"note.{number}": "x" * 10_000 for number in range(430)}
    data = json.dumps(web.image_manifest(parts[0], [parts[1]], annotations=notes)).encode()
    assert len(data) > 4 << 20
    refused(repository.put("huge", data, web.OCI_MANIFEST), 413, "MANIFEST_INVALID", "SIZE_INVALID")
    expect(repository.manifest("huge"), 404)


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"schemaVersion":2}', b'"text"', b"{}"])
def test_body_that_is_no_manifest(repository, parts, body):
    """MANIFEST_INVALID for what cannot be one."""
    refused(repository.put("bad", body, web.OCI_MANIFEST), 400, "MANIFEST_INVALID")
    expect(repository.manifest("bad"), 404)


def test_schema_1(repository):
    """"Schema 1 manifests get a clear error"."""
    body = {"schemaVersion": 1, "name": repository.name, "tag": "old", "architecture": "amd64", "fsLayers": [],
            "history": [], "signatures": []}
    for media_type in ("application/vnd.docker.distribution.manifest.v1+json",
                       "application/vnd.docker.distribution.manifest.v1+prettyjws"):
        answer = repository.put("old", body, media_type)
        refused(answer, (400, 415), "MANIFEST_INVALID", "UNSUPPORTED")
        assert "schema" in answer.json()["errors"][0]["message"].lower()


def test_media_type_mismatch(repository, parts):
    """A mediaType in the body that is not the Content-Type → 400."""
    data = json.dumps(web.image_manifest(parts[0], [parts[1]])).encode()
    refused(repository.put("mixed", data, web.OCI_INDEX), 400, "MANIFEST_INVALID")


def test_content_type_parameters(repository, parts):
    """Parameters of Content-Type do not matter to what is stored."""
    data = json.dumps(web.image_manifest(parts[0], [parts[1]])).encode()
    expect(repository.put("param", data, web.OCI_MANIFEST + "; charset=utf-8"), 201)
    assert expect(repository.manifest("param"), 200)["Content-Type"].startswith(web.OCI_MANIFEST)


def test_without_media_type_field(repository, parts):
    """mediaType may be absent in an OCI manifest; the type is that of the push."""
    manifest = web.image_manifest(parts[0], [parts[1]])
    del manifest["mediaType"]
    push(repository, "untyped", manifest, web.OCI_MANIFEST)


def test_tag_moves(repository):
    """A tag pushed again points to the new manifest; the old one stays by digest."""
    first, _ = repository.image("move")
    second, data = repository.image("move")
    assert expect(repository.manifest("move"), 200)["Docker-Content-Digest"] == second
    expect(repository.manifest(first), 200)


def test_tag_parameters(repository, parts):
    """end-7b (main): `?tag=a&tag=b` on PUT by digest → both tags and `OCI-Tag` header(s)."""
    data = json.dumps(web.image_manifest(parts[0], [parts[1]])).encode()
    answer = expect(repository.put(digest_of(data), data, web.OCI_MANIFEST, "?tag=a&tag=b.2"), 201)
    named = [tag.strip() for value in answer.all("OCI-Tag") for tag in value.split(",")]
    assert sorted(named) == ["a", "b.2"]
    for tag in named:
        kept(repository, tag, data, web.OCI_MANIFEST)


def test_ten_tag_parameters(repository, parts):
    """end-7b (main): "at least 10 per request, 414 allowed" above."""
    data = json.dumps(web.image_manifest(parts[0], [parts[1]])).encode()
    tags = [f"t{number}" for number in range(10)]
    expect(repository.put(digest_of(data), data, web.OCI_MANIFEST, "?" + "&".join(f"tag={tag}" for tag in tags)), 201)
    assert set(tags) <= set(expect(repository.tags(), 200).json()["tags"])
    many = "?" + "&".join(f"tag=m{number}" for number in range(5000))
    expect(repository.put(digest_of(data), data, web.OCI_MANIFEST, many), 201, 400, 414, 431)


def test_bad_tag_parameter(repository, parts):
    """end-7b: one bad tag refuses the whole request; nothing is stored."""
    data = json.dumps(web.image_manifest(parts[0], [parts[1]], annotations={"n": "bad"})).encode()
    refused(repository.put(digest_of(data), data, web.OCI_MANIFEST, "?tag=good&tag=-bad"), 400, "TAG_INVALID",
            "MANIFEST_INVALID", "NAME_INVALID")
    expect(repository.manifest("good"), 404)
    expect(repository.manifest(digest_of(data)), 404)
