"""What this machine can do. A test asks need("docker"); a machine that cannot fails the test,
unless the run was told to excuse that name (tests/run --excuse NAME)."""

import functools
import os
import shutil
import subprocess

import pytest

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def _program(name):
    return None if shutil.which(name) else f"there is no program {name}"


def _root():
    return None if os.geteuid() == 0 else "not running as root"


def _mount():
    if _root():
        return _root()
    trial = subprocess.run(
        ["unshare", "-m", "sh", "-c", "mount -t tmpfs none /mnt"], capture_output=True, text=True
    )
    return None if trial.returncode == 0 else f"mount is not permitted: {trial.stderr.strip()}"


def _docker():
    return _root() or _program("dockerd") or _program("docker")


def _podman():
    return _mount() or _program("podman")


def _ipv6():
    import socket

    try:
        with socket.socket(socket.AF_INET6) as sock:
            sock.bind(("::1", 0))
    except OSError as error:
        return f"no IPv6 loopback: {error}"
    return None


def _localhost_names():
    import socket

    try:
        socket.getaddrinfo("sundog.azurecr.localhost", 80)
    except OSError:
        return "names below localhost do not resolve (libnss-myhostname)"
    return None


_CHECKS = {
    "root": _root,
    "mount": _mount,
    "docker": _docker,
    "podman": _podman,
    "ipv6": _ipv6,
    "localhost-names": _localhost_names,
}


@functools.lru_cache(maxsize=None)
def _lack(name):
    return _CHECKS[name]() if name in _CHECKS else _program(name)


def need(*names):
    """Fails (or, excused, skips) the calling test if the machine lacks one of the names."""
    for name in names:
        lack = _lack(name)
        if lack and name in os.environ.get("SUNDOG_EXCUSE", "").split():
            pytest.skip(f"excused: {name}: {lack}")
        elif lack:
            pytest.fail(f"this machine cannot run it: {name}: {lack} (tests/run --excuse {name})")
