"""The disk that keeps only what was fsynced: building its shim, and cutting the power."""

import ctypes
import os
import shutil
import subprocess

from harness import sweep
from harness.server import fresh_folder

HERE = os.path.dirname(os.path.abspath(__file__))


def build():
    """The shim as a shared object in the run's folder."""
    out = os.path.join(fresh_folder("z"), "libpowerloss.so")
    subprocess.run(["cc", "-std=gnu17", "-O2", "-Wall", "-Wextra", "-shared", "-fPIC", "-o", out,
                    os.path.join(HERE, "powerloss.c")], check=True)
    return out


class Disk:
    """Below `root` only what was fsynced survives cut()."""

    def __init__(self, library, root, blobs, ignore=""):
        self.root, self.library = os.path.realpath(root), library
        self.shadow = self.root + ".shadow"
        self.env = {"LD_PRELOAD": library, "POWERLOSS_ROOT": self.root, "POWERLOSS_SHADOW": self.shadow,
                    "POWERLOSS_BLOBS": os.path.realpath(blobs), "POWERLOSS_IGNORE": ignore}
        self.snapshot()

    def snapshot(self):
        """Everything that is there counts as durable; nothing may run."""
        shutil.rmtree(self.shadow, ignore_errors=True)
        library = ctypes.CDLL(self.library)
        library.powerloss_snapshot(self.root.encode(), self.shadow.encode())

    def cut(self):
        """Power loss: every process ends at once, and the folder becomes what was durable."""
        sweep.kill_all(self.root)
        lost = self.root + ".lost"
        os.rename(self.root, lost)
        status = os.stat(lost)
        with open(f"{self.shadow}/root") as file:
            self._rebuild(file.read().strip(), self.root)
        os.chmod(self.root, status.st_mode & 0o7777)
        os.chown(self.root, status.st_uid, status.st_gid)
        shutil.rmtree(lost)

    def _rebuild(self, key, path):
        os.mkdir(path)
        try:
            with open(f"{self.shadow}/dirs/{key}", errors="surrogateescape") as file:
                lines = file.read().splitlines()
        except FileNotFoundError:
            return  # a folder whose entries were never fsynced is empty
        for line in lines:
            kind, mode, uid, gid, key, name = line.split(" ", 5)
            below = os.path.join(path, name)
            if kind == "l":
                os.symlink(key, below)
                continue
            if kind == "d":
                self._rebuild(key, below)
            elif os.path.exists(f"{self.shadow}/inodes/{key}"):
                shutil.copyfile(f"{self.shadow}/inodes/{key}", below)
            else:
                open(below, "wb").close()  # the name is durable, the content never was
            os.chmod(below, int(mode, 8))
            if os.geteuid() == 0:
                os.chown(below, int(uid), int(gid))
