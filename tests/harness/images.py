"""Makes OCI image layouts on disk, for the clients to push. No client is needed to make one."""

import gzip
import io
import json
import os
import subprocess
import tarfile

from harness import web


def tar_of(files, links=None, folders=()):
    """An uncompressed layer: {path: bytes}, symbolic links {path: target}, folders anybody may write to."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for path in folders:
            entry = tarfile.TarInfo(path)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o1777
            tar.addfile(entry)
        for path, data in files.items():
            entry = tarfile.TarInfo(path)
            entry.size, entry.mode = len(data), 0o755
            tar.addfile(entry, io.BytesIO(data))
        for path, target in (links or {}).items():
            entry = tarfile.TarInfo(path)
            entry.type, entry.linkname = tarfile.SYMTYPE, target
            tar.addfile(entry)
    return out.getvalue()


def packed(tar):
    return gzip.compress(tar, 1, mtime=0)


def zstd(data):
    return subprocess.run(["zstd", "-q", "-3", "-c"], input=data, capture_output=True, check=True).stdout


class Layout:
    """An OCI layout folder; blobs are added, then images and indexes, then named."""

    def __init__(self, folder):
        self.folder = folder
        self.names = []
        os.makedirs(os.path.join(folder, "blobs", "sha256"), exist_ok=True)
        self._write("oci-layout", json.dumps({"imageLayoutVersion": "1.0.0"}).encode())

    def _write(self, path, data):
        with open(os.path.join(self.folder, path), "wb") as file:
            file.write(data)

    def add(self, data, media_type, **extra):
        described = web.descriptor(data, media_type, **extra)
        self._write(os.path.join("blobs", *described["digest"].split(":")), data)
        return described

    def image(self, layers, architecture="amd64", compression="gzip"):
        """Layers are {path: bytes}; answers the manifest's descriptor with its platform."""
        described, diffs = [], []
        for files in layers:
            tar = tar_of(files)
            diffs.append(web.digest_of(tar))
            if compression == "zstd":
                described.append(self.add(zstd(tar), web.OCI_LAYER + "+zstd"))
            else:
                described.append(self.add(gzip.compress(tar, 1, mtime=0), web.OCI_LAYER + "+gzip"))
        config = json.dumps({"architecture": architecture, "os": "linux", "config": {"Cmd": ["/hello"]},
                             "rootfs": {"type": "layers", "diff_ids": diffs}}).encode()
        manifest = {"schemaVersion": 2, "mediaType": web.OCI_MANIFEST,
                    "config": self.add(config, web.OCI_CONFIG), "layers": described}
        return self.add(json.dumps(manifest).encode(), web.OCI_MANIFEST,
                        platform={"architecture": architecture, "os": "linux"})

    def add_image(self, tars, config):
        """An image of ready layers and members of its config."""
        layers = [self.add(packed(tar), web.OCI_LAYER + "+gzip") for tar in tars]
        text = json.dumps({"architecture": "amd64", "os": "linux", "config": config,
                           "rootfs": {"type": "layers", "diff_ids": [web.digest_of(tar) for tar in tars]}}).encode()
        manifest = {"schemaVersion": 2, "mediaType": web.OCI_MANIFEST, "config": self.add(text, web.OCI_CONFIG),
                    "layers": layers}
        return self.add(json.dumps(manifest).encode(), web.OCI_MANIFEST,
                        platform={"architecture": "amd64", "os": "linux"})

    def index(self, manifests):
        return self.add(json.dumps(web.image_index(manifests)).encode(), web.OCI_INDEX)

    def name(self, described, tag):
        self.names.append({**described, "annotations": {"org.opencontainers.image.ref.name": tag}})
        self._write("index.json", json.dumps(web.image_index(self.names)).encode())
        return f"oci:{self.folder}:{tag}"


def small_layout(folder):
    """Tags: one (gzip), zstd, multi (an index of two architectures)."""
    layout = Layout(folder)
    one = layout.image([{"hello": b"hello world\n"}, {"etc/second": os.urandom(5000)}])
    layout.name(one, "one")
    layout.name(layout.image([{"hello": b"hello zstd\n" * 100}], compression="zstd"), "zstd")
    arm = layout.image([{"hello": b"hello arm\n"}], "arm64")
    layout.name(layout.index([one, arm]), "multi")
    return layout
