"""polkit decides who comes in by the unix sockets: with a bus and an authority of the test's own."""
import importlib.util
import os
import pathlib
import shutil
import struct
import subprocess
import time

import pytest

from doors import configure
from lodgetest import ROOT
from virttest import OK, Raw, virsh

NOBODY = 65534
POLKITD = pathlib.Path("/usr/lib/polkit-1/polkitd")
CONFIG = """<busconfig><listen>unix:tmpdir=/tmp</listen><auth>EXTERNAL</auth><policy context="default">
<allow user="*"/><allow own="*"/><allow send_destination="*" eavesdrop="true"/>
<allow eavesdrop="true"/></policy></busconfig>"""

pytestmark = pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("dbus-daemon") or
                                not importlib.util.find_spec("dbus") or not importlib.util.find_spec("gi"),
                                reason="needs root, dbus, python3-dbus and python3-gi")


@pytest.fixture
def bus(tmp_path):
    """The environment of a system bus of our own."""
    config = tmp_path / "bus.conf"
    config.write_text(CONFIG)  # in a folder that the account of polkitd may enter
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


@pytest.fixture
def policy(bus, tmp_path):
    """The real authority with our policy and rules alone, and the group `lodge` with @nobody in it or not."""
    folder, group = tmp_path / "share/polkit-1", tmp_path / "group"
    subprocess.run([ROOT / "packaging/polkit", "add", tmp_path], check=True)
    (folder / "rules.d").mkdir()
    (tmp_path / "empty").mkdir()
    shutil.copy(ROOT / "packaging/60-lodge.rules", folder / "rules.d")
    subprocess.run(["chmod", "-R", "a+rX", tmp_path], check=True)
    started = []

    def start(members):
        lines = [line for line in pathlib.Path("/etc/group").read_text().splitlines() if not line.startswith("lodge:")]
        group.write_text("\n".join([*lines, f"lodge:x:64999:{members}", ""]))
        mounts = [(folder / "actions", "/usr/share/polkit-1/actions"), (folder / "rules.d", "/usr/share/polkit-1/rules.d"),
                  (tmp_path / "empty", "/etc/polkit-1/rules.d"), (group, "/etc/group")]
        bound = " && ".join(f"mount --bind {what} {where}" for what, where in mounts)
        started.append(subprocess.Popen(["unshare", "--mount", "sh", "-c", f"{bound} && exec {POLKITD} --no-debug"],
                                        env={**os.environ, **bus}, stdout=subprocess.DEVNULL))

    def stop():
        while started:
            started[-1].kill()
            started.pop().wait()
    yield start, stop
    stop()


def until_answered(daemon, *words, **options):
    """The authority takes a moment to come up; until then nobody may do anything."""
    deadline = time.monotonic() + 60
    while True:
        code, said = as_nobody(daemon, *words, **options)
        if code == 0 or "no polkit agent" in said or time.monotonic() > deadline:
            return code, said
        time.sleep(0.2)


@pytest.mark.skipif(not POLKITD.exists(), reason="needs polkitd")
def test_policy(make_daemon, bus, policy):
    """Everybody may look; managing takes a password, or the group `lodge`."""
    start, stop = policy
    daemon = make_daemon(**bus)
    configure(daemon, 'auth_unix_rw = "polkit"\nauth_unix_ro = "polkit"\n')
    daemon.start()
    start("")
    code, said = until_answered(daemon, "list", read_only=True)
    assert code == 0, said
    code, said = until_answered(daemon, "list")
    assert code != 0 and "no polkit agent" in said, said
    stop()
    start("nobody")
    deadline = time.monotonic() + 60
    while as_nobody(daemon, "list")[0] != 0:
        assert time.monotonic() < deadline
        time.sleep(0.2)
