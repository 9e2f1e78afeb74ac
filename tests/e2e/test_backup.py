"""`sundog backup` while the service runs, `sundog restore` into a new folder: the same content."""

import json
import os
import shutil

from harness import web
from harness.server import Sundog, fresh_folder, run_tool
from harness.web import expect


def test_backup_and_restore(sundog, tmp_path):
    registry = web.by_path(sundog)
    repository = registry.repository("backed/up")
    digest, data = repository.image("v1")
    blob = os.urandom(2 << 20)
    manifest = json.dumps(web.image_manifest(b'{"os":"linux"}', [blob])).encode()
    repository.blob(blob)
    repository.blob(b'{"os":"linux"}')
    expect(repository.put("big", manifest, web.OCI_MANIFEST), 201)
    expect(registry.acr("backed/up/_tags/v1", "PATCH", {"writeEnabled": False}), 200)

    folder = fresh_folder("k")
    try:
        os.chmod(folder, 0o777)
        done = run_tool("backup", f"{folder}/out", "--data", sundog.data)
        assert done.returncode == 0, done.stdout + done.stderr
        repository.image("after")  # not part of the backup

        done = run_tool("restore", f"{folder}/out", "--data", f"{folder}/new")
        assert done.returncode == 0, done.stdout + done.stderr
        with Sundog(data=f"{folder}/new") as restored:
            again = web.Registry(restored.plain, "sundog/", sundog.credentials, web.Http1()).repository("backed/up")
            assert expect(again.manifest("v1"), 200).body == data
            assert expect(again.manifest(digest), 200).body == data
            assert expect(again.manifest("big"), 200).body == manifest
            assert expect(again.get(f"/blobs/{web.digest_of(blob)}"), 200).body == blob
            expect(again.manifest("after"), 404)
            assert restored.credentials == sundog.credentials
            tag = expect(again.registry.acr("backed/up/_tags/v1"), 200).json()["tag"]
            assert tag["changeableAttributes"]["writeEnabled"] is False
            again.image("v2")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def test_restore_does_not_overwrite(sundog, tmp_path):
    """restore into a folder that has data is refused."""
    done = run_tool("restore", str(tmp_path), "--data", sundog.data)
    assert done.returncode != 0
    assert done.stderr.strip()


def test_backup_into_a_full_folder_is_refused(sundog, tmp_path):
    """backup does not write over what is there."""
    (tmp_path / "mine").write_text("mine")
    done = run_tool("backup", str(tmp_path), "--data", sundog.data)
    assert done.returncode != 0
    assert (tmp_path / "mine").read_text() == "mine"
