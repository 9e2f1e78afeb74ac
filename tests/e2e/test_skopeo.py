"""skopeo: copies both ways byte for byte, multi-arch and zstd, lists, inspects and deletes."""

import json
import os

import pytest

from harness import web
from harness.clients import run
from harness.machine import need
from harness.store import check_files


@pytest.fixture
def skopeo(way, sundog, certs):
    need("skopeo")
    creds = ":".join(sundog.credentials)

    def call(command, *args, side="", **options):
        access = [f"--{side}creds", creds]
        access += [f"--{side}tls-verify=false"] if way[1] else [f"--{side}cert-dir", certs]
        return run("skopeo", "--insecure-policy", command, *access, *args, **options)

    return call


def blobs_of(folder):
    return check_files(os.path.join(folder, "blobs"))


@pytest.mark.parametrize("tag", ["one", "zstd", "multi"])
def test_there_and_back(skopeo, layout, way, tmp_path, tag):
    """skopeo copy --all of an image, a zstd image and a multi-arch index: the same bytes come back."""
    target = f"docker://{way[0]}/nested/{tag}:1"
    skopeo("copy", "--all", f"oci:{layout.folder}:{tag}", target, side="dest-")
    skopeo("copy", "--all", target, f"oci:{tmp_path}/back:{tag}", side="src-")
    back = blobs_of(f"{tmp_path}/back")
    assert back <= blobs_of(layout.folder)
    with open(f"{tmp_path}/back/index.json") as file:
        (root,) = json.load(file)["manifests"]
    sent = next(named for named in layout.names if tag in named["annotations"].values())
    assert root["digest"] == sent["digest"]


def test_multi_arch_keeps_digests(skopeo, layout, way, sundog):
    """The index and both images are there under the digests they had."""
    skopeo("copy", "--multi-arch", "all", f"oci:{layout.folder}:multi", f"docker://{way[0]}/kept:multi", side="dest-")
    repository = web.by_path(sundog).repository("kept")
    index = web.expect(repository.manifest("multi"), 200).json()
    assert {m["platform"]["architecture"] for m in index["manifests"]} == {"amd64", "arm64"}
    for manifest in index["manifests"]:
        web.expect(repository.manifest(manifest["digest"]), 200)


@pytest.mark.parametrize("style", ["v2s2", "oci"])
def test_converted(skopeo, layout, way, style):
    """Docker schema 2 and OCI by --format."""
    target = f"docker://{way[0]}/formats/{style}:1"
    skopeo("copy", "--format", style, f"oci:{layout.folder}:one", target, side="dest-")
    raw = json.loads(skopeo("inspect", "--raw", target).stdout)
    assert raw["mediaType"] == (web.DOCKER_MANIFEST if style == "v2s2" else web.OCI_MANIFEST)


def test_inspect_and_list_tags(skopeo, layout, way):
    name = f"docker://{way[0]}/listed"
    for tag in ("1", "2"):
        skopeo("copy", f"oci:{layout.folder}:one", f"{name}:{tag}", side="dest-")
    assert set(json.loads(skopeo("list-tags", name).stdout)["Tags"]) == {"1", "2"}
    seen = json.loads(skopeo("inspect", f"{name}:1").stdout)
    assert seen["Architecture"] == "amd64"
    assert len(seen["Layers"]) == 2


def test_delete(skopeo, layout, way):
    """skopeo delete removes the manifest by its digest."""
    name = f"docker://{way[0]}/deleted:1"
    skopeo("copy", f"oci:{layout.folder}:one", name, side="dest-")
    skopeo("delete", name)
    assert skopeo("inspect", name, check=False).returncode != 0


def test_copy_inside_the_registry(skopeo, layout, way, sundog, certs):
    """A copy from one repository to another one of the same registry mounts its blobs."""
    skopeo("copy", f"oci:{layout.folder}:one", f"docker://{way[0]}/from:1", side="dest-")
    tls = ["--src-tls-verify=false"] if way[1] else ["--src-cert-dir", certs]
    skopeo("copy", "--src-creds", ":".join(sundog.credentials), *tls, f"docker://{way[0]}/from:1",
           f"docker://{way[0]}/to:1", side="dest-")
    skopeo("inspect", f"docker://{way[0]}/to:1")


def test_hello(skopeo, way, tmp_path):
    skopeo("copy", f"docker://{way[0]}/hello:latest", f"oci:{tmp_path}/hello:1", side="src-")
    assert blobs_of(f"{tmp_path}/hello")
