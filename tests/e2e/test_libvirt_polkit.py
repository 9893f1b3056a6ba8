"""polkit decides who comes in by the unix sockets: with a bus and an authority of the test's own."""
import importlib.util
import os
import pathlib
import shutil
import struct
import subprocess

import pytest

from doors import configure
from virttest import OK, Raw, virsh

NOBODY = 65534
CONFIG = """<busconfig><listen>unix:path={path}</listen><auth>EXTERNAL</auth><policy context="default">
<allow user="*"/><allow own="*"/><allow send_destination="*" eavesdrop="true"/>
<allow eavesdrop="true"/></policy></busconfig>"""

pytestmark = pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("dbus-daemon") or
                                not importlib.util.find_spec("dbus") or not importlib.util.find_spec("gi"),
                                reason="needs root, dbus, python3-dbus and python3-gi")


@pytest.fixture
def bus(tmp_path):
    """The environment of a system bus of our own."""
    config = tmp_path / "bus.conf"
    config.write_text(CONFIG.format(path=tmp_path / "bus"))
    daemon = subprocess.Popen(["dbus-daemon", "--nofork", f"--config-file={config}", "--print-address"],
                              stdout=subprocess.PIPE, text=True)
    address = daemon.stdout.readline().strip()
    yield {"DBUS_SYSTEM_BUS_ADDRESS": address}
    daemon.kill()
    daemon.wait()


@pytest.fixture
def polkit(bus, tmp_path):
    """Where to write what polkit allows, and what it was asked."""
    allowed, asked = tmp_path / "allowed", tmp_path / "asked"
    allowed.write_text("org.libvirt.unix.monitor\n")
    asked.write_text("")
    stub = subprocess.Popen(["/usr/bin/python3", pathlib.Path(__file__).with_name("polkit_stub.py"), allowed,
                             asked], env={**os.environ, **bus}, stdout=subprocess.PIPE, text=True)
    assert stub.stdout.readline() == "ready\n"
    yield allowed, asked
    stub.kill()
    stub.wait()


def as_nobody(daemon, *words, read_only=False):
    path = f"{daemon.root}/run/libvirt-sock{'-ro' if read_only else ''}"
    done = subprocess.run(["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "virsh",
                           "-c", f"qemu+unix:///system?socket={path}", *(["-r"] if read_only else []), *words],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                          text=True, timeout=60, env={**os.environ, "HOME": "/nonexistent"})
    return done.returncode, done.stdout


def test_polkit(make_daemon, bus, polkit):
    allowed, asked = polkit
    daemon = make_daemon(**bus)
    configure(daemon, 'auth_unix_rw = "polkit"\nauth_unix_ro = "polkit"\n')
    daemon.start()
    daemon.define("web1", boot=False)
    code, said = as_nobody(daemon, "list", "--all", "--name", read_only=True)
    assert code == 0 and said.strip() == "web1", said
    code, said = as_nobody(daemon, "list", "--all")
    assert code != 0 and "access denied by policy" in said
    allowed.write_text("org.libvirt.unix.manage\n")
    assert as_nobody(daemon, "list", "--all")[0] == 0
    questions = [line.split() for line in asked.read_text().splitlines()]
    assert [words[0].rsplit(".", 1)[1] for words in questions[:3]] == ["monitor", "manage", "manage"]
    assert all(words[1] == "unix-process" and words[2] == str(NOBODY) and int(words[4]) > 0
               for words in questions)
    virsh(daemon, "list")  # root is not asked
    assert len(asked.read_text().splitlines()) == len(questions)


def test_without_polkit(make_daemon):
    """Nobody answers: people are refused, root is not locked out."""
    daemon = make_daemon(DBUS_SYSTEM_BUS_ADDRESS="unix:path=/does/not/exist")
    configure(daemon, 'auth_unix_rw = "polkit"\n')
    daemon.start()
    assert as_nobody(daemon, "list")[0] != 0
    client = Raw(daemon)
    assert client.call(66) == (OK, struct.pack(">II", 1, 0))
    virsh(daemon, "list")
