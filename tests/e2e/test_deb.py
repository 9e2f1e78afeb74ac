"""The Debian package: installs, runs and goes again, on a copy of this machine's files that is thrown away."""

import os
import re
import shlex

import pytest

from harness import web
from harness.clients import run
from harness.containers import Groups, push_shell
from harness.machine import TOP, need
from harness.postgres import free_port
from harness.server import Sundog, fresh_folder

UNIT = f"{TOP}/deploy/sundog.service"


@pytest.fixture(scope="module")
def package():
    need("root", "mount", "dpkg-deb", "dpkg-shlibdeps")
    folder = fresh_folder("p")
    return run(f"{TOP}/deploy/deb", folder).stdout.split()[-1]


def on_a_copy(package, script):
    """Runs it as root of the whole machine, whose changes are an overlay's and gone afterwards. Processes, too.
    The package is /sundog.deb there."""
    top = fresh_folder("o")
    outer = f"""set -eu
        mount -t tmpfs none {top}
        mkdir {top}/upper {top}/work {top}/all
        mount -t overlay none -o lowerdir=/,upperdir={top}/upper,workdir={top}/work {top}/all
        mount -t proc none {top}/all/proc
        mount --rbind /dev {top}/all/dev
        mount --rbind /sys {top}/all/sys
        mount -t tmpfs none {top}/all/tmp
        chmod 1777 {top}/all/tmp
        mount -t tmpfs none {top}/all/run
        rm -rf {top}/all/var/lib/sundog
        cp {package} {top}/all/sundog.deb
        chroot {top}/all sh -euc {shlex.quote(script)}"""
    return run("unshare", "-mpf", "sh", "-c", outer)


def test_it_says_what_it_is(package):
    """Libraries and programs it needs are named; nothing stands outside the places of a package."""
    about = run("dpkg-deb", "--field", package).stdout
    depends = re.search(r"^Depends: (.*)$", about, re.M).group(1)
    for name in ("postgresql", "crun", "adduser", "libh2o-evloop0.13", "libpq5", "libssl3"):
        assert re.search(rf"\b{re.escape(name)}\b", depends), depends
    files = run("dpkg-deb", "--contents", package).stdout
    assert "./usr/bin/sundog\n" in files and "./usr/lib/systemd/system/sundog.service" in files
    assert "./usr/share/doc/sundog/copyright" in files and "./etc/sundog/sundog.conf" in files
    for line in files.splitlines():
        mode, owner, *_, path = line.split()
        assert owner == "root/root" and mode[5] != "w" and mode[8] != "w", line
        assert path.startswith(("./etc/", "./usr/")), line


def test_install_run_remove_purge(package):
    """dpkg -i makes the user; the service runs by its configuration; remove keeps the data, purge takes all."""
    tls, plain = free_port(), free_port()
    said = on_a_copy(package, f"""
        deluser --quiet --system sundog 2>/dev/null || true
        dpkg -i /sundog.deb
        getent passwd sundog
        sed -i 's/^#listen .*/listen = 127.0.0.1:{tls}/; s/^#plain-listen .*/plain-listen = 127.0.0.1:{plain}/' /etc/sundog/sundog.conf
        sundog --version
        sundog serve --config /etc/sundog/sundog.conf > /tmp/serve.log 2>&1 &
        sundog ready --wait 120 || {{ cat /tmp/serve.log; exit 1; }}
        test -s /var/lib/sundog/admin.json
        eval "$(sundog env)"
        curl -fsS $SUNDOG_URL/healthz && echo healthy
        kill $!
        wait $! || true
        dpkg -r sundog
        ! command -v /usr/bin/sundog
        test -s /var/lib/sundog/admin.json && test -s /etc/sundog/sundog.conf && echo kept
        dpkg -P sundog
        ! test -e /var/lib/sundog && ! test -e /etc/sundog && ! getent passwd sundog && echo gone
    """)
    assert re.search(r"^sundog:", said.stdout, re.M), said.stdout
    for word in ("healthy", "kept", "gone"):
        assert word in said.stdout.split(), said.stdout + said.stderr


def test_an_upgrade_starts_nothing_that_was_stopped(package):
    """What systemd is told: by a first installation, an upgrade, a removal and an installation after it."""
    said = on_a_copy(package, """
        mkdir -p /run/systemd/system
        rm -f /usr/bin/systemctl /bin/systemctl
        printf '#!/bin/sh\\nprintf "%%s\\\\n" "-> $*"\\n' > /usr/bin/systemctl
        chmod 755 /usr/bin/systemctl
        for deed in -i -i -r -i -P; do
            echo "deed $deed"
            if [ $deed = -i ]; then dpkg -i /sundog.deb; else dpkg $deed sundog; fi
        done
    """).stdout
    told = [re.findall(r"^-> (.*)$", part, re.M) for part in said.split("deed ")[1:]]
    told = [[word for word in deed if word != "daemon-reload"] for deed in told]
    begin = ["enable sundog.service", "start sundog.service"]
    end = ["disable --now sundog.service"]
    assert told == [begin, ["try-restart sundog.service"], end, begin, end], said


def directives(name):
    with open(UNIT) as file:
        return " ".join(re.findall(rf"^{name}=(.*)$", file.read(), re.M)).split()


def test_the_unit_is_well_formed(package):
    """systemd reads it without a complaint, and containers outlive the service."""
    need("systemd-analyze")
    folder = fresh_folder("u")
    with open(UNIT) as file:
        text = file.read()
    program = f"{folder}/sundog"
    with open(program, "w") as file:
        file.write("#!/bin/sh\n")
    os.chmod(program, 0o755)
    with open(f"{folder}/sundog.service", "w") as file:
        file.write(text.replace("/usr/bin/sundog", program).replace("file:///usr/share/doc/sundog/README.md", "https://localhost/"))
    said = run("systemd-analyze", "verify", f"{folder}/sundog.service")
    assert "sundog.service" not in said.stdout + said.stderr, said.stderr
    assert directives("KillMode") == ["process"] and directives("Type") == ["notify"]


def test_the_units_capabilities_suffice():
    """With no more than those, and its address families, a container starts, is reached and ends."""
    need("root", "crun", "mount", "setpriv")
    wanted = [name.removeprefix("CAP_").lower() for name in directives("CapabilityBoundingSet")]
    with open("/proc/self/status") as file:
        have = int(re.search(r"^CapBnd:\s*(\w+)$", file.read(), re.M).group(1), 16)
    all_names = run("setpriv", "--list-caps").stdout.split()
    allowed = [name for index, name in enumerate(all_names) if name in wanted and have >> index & 1]
    assert set(wanted) <= set(all_names)

    class Bounded(Sundog):
        def command(self):
            return ["setpriv", "--bounding-set", "-all," + ",".join("+" + name for name in allowed), *super().command()]

    with Bounded() as server:
        push_shell(web.by_path(server))
        groups = Groups(server)
        assert groups.run("id -u; echo bounded") == (0, "0\nbounded\n")
        groups.delete_all()
