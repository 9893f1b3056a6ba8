"""Guests put to sleep in files and woken up: what they had in memory is still there."""
import contextlib
import gzip
import os
import signal
import struct
import subprocess
import time

import pytest

from lodgetest import LODGE, READY, wait_until
from test_faults import NO_SPACE, files, root_only, start_with_small


@pytest.fixture
def awake(daemon):
    """A guest that remembers a word; a function that says whether it still does."""
    daemon.define("web1")
    daemon.lodge("start", "web1")
    console = daemon.console("web1")
    console.expect(READY)
    console.run("export WORD=kept")

    def remembers():
        again = daemon.console("web1", "--no-history", "--force")
        answer = again.run("echo the word is $WORD")
        return "the word is kept" in answer

    return remembers


def test_save_restore(daemon, awake, tmp_path):
    path = tmp_path / "web1.save"
    daemon.lodge("save", "web1", path)
    assert daemon.state("web1") == "shut off"
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.read_bytes()[:16] == b"LibvirtQemudSave"
    assert "<name>web1</name>" in daemon.lodge("save-image-dumpxml", path).out
    daemon.lodge("restore", path)
    assert daemon.lodge("state", "web1", "--reason").out.strip() == "running (restored)"
    assert awake()
    assert path.exists()


def test_saved_as_libvirt_does(daemon, tmp_path):
    """What libvirt saves lacks the controllers that every such machine has: they are there again. What Lodge
    saves names nothing that only its own run had."""
    path = tmp_path / "web1.save"
    devices = "<channel type='unix'><target type='virtio' name='org.example.0'/></channel>"
    daemon.define("web1", boot=False, machine="pc", devices=devices)
    daemon.lodge("start", "web1", "--paused")
    document = daemon.write("bare.xml", daemon.lodge("dumpxml", "web1", "--migratable").out)
    assert "piix3-uhci" not in document.read_text()
    daemon.lodge("save", "web1", path, "--xml", document)
    saved = path.read_bytes()
    head = saved[:saved.index(b"</domain>")]
    assert b"piix3-uhci" not in head and b".sock" not in head and b"<alias" not in head
    daemon.lodge("restore", path)
    assert "piix3-uhci" in daemon.lodge("dumpxml", "web1").out
    daemon.lodge("managedsave", "web1")
    daemon.lodge("start", "web1")
    assert "may not be on the disk" not in daemon.said()


def test_managed_save_outlives_the_daemon(daemon, awake):
    daemon.lodge("managedsave", "web1")
    assert daemon.state("web1") == "shut off"
    daemon.restart(signal.SIGKILL)
    daemon.lodge("start", "web1")
    assert awake()
    refused = daemon.lodge("managedsave-remove", "web1", ok=False)
    assert refused.code == 4 and "no managed save" in refused.err


def test_restore_paused_and_force_boot(daemon, awake, tmp_path):
    path = tmp_path / "web1.save"
    daemon.lodge("save", "web1", path, "--paused")
    daemon.lodge("restore", path)
    assert daemon.state("web1") == "paused"
    daemon.lodge("resume", "web1")
    daemon.lodge("managedsave", "web1")
    daemon.lodge("start", "web1", "--force-boot")
    assert daemon.lodge("state", "web1", "--reason").out.strip() == "running (booted)"
    assert daemon.lodge("managedsave-remove", "web1", ok=False).code == 4


def test_a_save_that_fails_leaves_nothing(daemon, awake):
    refused = daemon.lodge("save", "web1", "/dev/full/x", ok=False)
    assert refused.code != 0 and "/dev/full/x" in refused.err
    small = os.path.join(daemon.root, "no", "such", "folder", "web1.save")
    assert daemon.lodge("save", "web1", small, ok=False).code == 3
    wait_until(lambda: daemon.state("web1") == "running", 60, "the guest runs on")
    assert awake()


def test_what_is_no_save_is_refused(daemon, tmp_path):
    daemon.define("web1")
    other = tmp_path / "other"
    other.write_text("not saved")
    assert "is not a saved guest" in daemon.lodge("restore", other, ok=False).err
    other.write_bytes(b"LibvirtQemudPart" + bytes(76))
    assert "not finished" in daemon.lodge("restore", other, ok=False).err
    other.write_bytes(b"LibvirtQemudSave" + b"\xff" * 76)
    assert daemon.lodge("restore", other, ok=False).code == 8
    other.write_bytes(b"LibvirtQemudSave" + b"\2\0\0\0" + b"\xff" * 72)
    assert daemon.lodge("restore", other, ok=False).code in (2, 8)


def test_a_managed_save_that_does_not_load_stays(daemon, awake):
    daemon.lodge("managedsave", "web1")
    [saved] = (daemon.root / "lib" / "save").iterdir()
    whole = saved.read_bytes()
    saved.write_bytes(whole[:200000])
    refused = daemon.lodge("start", "web1", ok=False)
    assert refused.code != 0 and "--force-boot" in refused.err
    assert daemon.state("web1") == "shut off"
    saved.write_bytes(whole)
    daemon.lodge("start", "web1")
    assert awake()
    assert not list((daemon.root / "lib" / "save").iterdir())


def killed_in(daemon, verb, ms):
    """The daemon is killed so long after it wrote down what it is about; another one follows."""
    state = daemon.root / "run" / "state" / f"web1.{'saving' if verb == 'managedsave' else 'json'}"
    caller = subprocess.Popen([LODGE, "--root", daemon.root, "--no-start", verb, "web1"], env=daemon.env,
                              stderr=subprocess.PIPE)
    wait_until(lambda: caller.poll() is not None or state.exists(), 60, "the work has begun")
    time.sleep(ms / 1000)
    daemon.kill()
    caller.wait(60)
    daemon.start()


def saves(daemon):
    return [path.suffix for path in (daemon.root / "lib" / "save").iterdir()]


@pytest.mark.parametrize("ms", [0, 30])
def test_daemon_killed_in_save(daemon, ms):
    """Either there is a save and the guest has ended, or there is none and it runs on."""
    daemon.define("web1", boot=False)
    daemon.lodge("start", "web1")
    killed_in(daemon, "managedsave", ms)
    wait_until(lambda: (daemon.state("web1"), saves(daemon)) in [("running", []), ("shut off", [".save"])], 60,
               "the guest is in one place")


@pytest.mark.parametrize("ms", [0, 20])
def test_daemon_killed_in_dump(daemon, tmp_path, ms):
    """QEMU goes on with its dump, and the guest after it; there is a whole dump or none."""
    daemon.define("web1", boot=False, memory=256)
    daemon.lodge("start", "web1")
    path, state = tmp_path / "core", daemon.root / "run" / "state" / "web1.saving"
    caller = subprocess.Popen([LODGE, "--root", daemon.root, "--no-start", "dump", "web1", path, "--memory-only"],
                              env=daemon.env, stderr=subprocess.PIPE)
    wait_until(lambda: caller.poll() is not None or state.exists(), 60, "the work has begun")
    time.sleep(ms / 1000)
    daemon.kill()
    caller.communicate(timeout=60)
    daemon.start()
    wait_until(lambda: daemon.state("web1") == "running" and not state.exists(), 60, "the guest goes on")
    assert not path.exists() or path.read_bytes()[:4] == b"\x7fELF"
    assert os.listdir(tmp_path) in ([], ["core"])


@pytest.mark.parametrize("ms", [0, 40])
def test_qemu_killed_in_save(daemon, ms):
    """Its save is whole, or there is none."""
    daemon.define("web1", boot=False)
    daemon.lodge("start", "web1")
    qemu, state = daemon.qemu_of("web1"), daemon.root / "run" / "state" / "web1.saving"
    caller = subprocess.Popen([LODGE, "--root", daemon.root, "--no-start", "managedsave", "web1"], env=daemon.env,
                              stderr=subprocess.PIPE)
    wait_until(lambda: caller.poll() is not None or state.exists(), 60, "the work has begun")
    time.sleep(ms / 1000)
    with contextlib.suppress(ProcessLookupError):
        os.kill(qemu, signal.SIGKILL)
    caller.communicate(timeout=60)
    wait_until(lambda: daemon.state("web1") == "shut off", 60, "the guest has ended")
    left = saves(daemon)
    assert left in ([], [".save"]) and (caller.returncode or left)
    daemon.lodge("start", "web1")
    assert ("restored" in daemon.lodge("state", "web1", "--reason").out) == bool(left)


@root_only
def test_full_disk(make_daemon, tmp_path):
    """The guest runs on, and nothing is left; the message says what is full."""
    daemon = make_daemon()
    seen = start_with_small(daemon, "lib/save", "size=200k")
    daemon.define("web1", boot=False)
    daemon.lodge("start", "web1")
    path = daemon.root / "lib" / "save" / "web1.save"
    for words in (["managedsave", "web1"], ["save", "web1", path], ["dump", "web1", path],
                  ["dump", "web1", path, "--memory-only"]):
        refused = daemon.lodge(*words, ok=False)
        assert refused.code == NO_SPACE and "No space left" in refused.err and str(path.parent) in refused.err
        assert daemon.state("web1") == "running" and files(seen) == []
    daemon.lodge("save", "web1", tmp_path / "web1.save")
    daemon.lodge("restore", tmp_path / "web1.save")


@pytest.mark.parametrize("ms", [0, 50])
def test_daemon_killed_in_restore(daemon, ms):
    """A save is used up by a guest that runs, and by no other. Where nobody knows whether it ran, it boots."""
    daemon.define("web1", boot=False)
    daemon.lodge("start", "web1")
    daemon.lodge("managedsave", "web1")
    killed_in(daemon, "start", ms)
    wait_until(lambda: (daemon.state("web1"), saves(daemon)) in
               [("running", []), ("shut off", [".save"]), ("shut off", [".used"])], 60, "it is in one place")
    if daemon.state("web1") == "shut off":
        kept = saves(daemon) == [".save"]
        daemon.lodge("start", "web1")
        assert ("restored" in daemon.lodge("state", "web1", "--reason").out) == kept
    assert saves(daemon) == []


def check_definitions(daemon, path, new):
    """They can be changed, also to longer ones; the stream behind them stays what it was."""
    document = daemon.lodge("save-image-dumpxml", path, "--security-info").out
    longer = document.replace("</name>", "</name><description>" + "long " * 40000 + "</description>", 1)
    for xml in (longer, document.replace("</name>", "</name><title>short</title>", 1)):
        new.write_text(xml)
        said = daemon.lodge("save-image-define", path, new, "--paused").out
        assert said.strip() == f"State file {path} updated."
        assert path.stat().st_mode & 0o777 == 0o600
    assert "<title>short</title>" in daemon.lodge("save-image-dumpxml", path).out
    new.write_text(document.replace("<name>web1<", "<name>web2<"))
    other = daemon.lodge("save-image-define", path, new, ok=False)
    assert "web2" in other.err and "<name>web1<" in daemon.lodge("save-image-dumpxml", path).out
    assert len(os.listdir(path.parent)) == 2


def check_managed_definitions(daemon, new):
    refused = daemon.lodge("managedsave-dumpxml", "web1", ok=False)
    assert "does not have managed save image" in refused.err
    daemon.lodge("managedsave", "web1", "--bypass-cache")
    document = daemon.lodge("managedsave-dumpxml", "web1", "--security-info").out
    new.write_text(document.replace("</name>", "</name><title>new</title>", 1))
    daemon.lodge("managedsave-define", "web1", new, "--paused")
    daemon.lodge("start", "web1", "--bypass-cache")
    assert daemon.state("web1") == "paused"
    assert "<title>new</title>" in daemon.lodge("dumpxml", "web1").out
    daemon.lodge("resume", "web1")


def compress(path):
    """As libvirt writes it where its configuration says save_image_format = "gzip"."""
    whole = path.read_bytes()
    stream = 92 + struct.unpack_from("=I", whole, 20)[0]
    head = bytearray(whole[:stream])
    struct.pack_into("=I", head, 28, 1)
    path.write_bytes(bytes(head) + gzip.compress(whole[stream:], 1))


def test_definitions_in_saved_files(daemon, awake, tmp_path):
    path, new = tmp_path / "web1.save", tmp_path / "new.xml"
    daemon.lodge("save", "web1", path)
    check_definitions(daemon, path, new)
    daemon.lodge("restore", path, "--bypass-cache")
    assert daemon.state("web1") == "paused"
    daemon.lodge("resume", "web1")
    check_managed_definitions(daemon, new)
    daemon.lodge("save", "web1", path, "--bypass-cache")
    compress(path)
    daemon.lodge("restore", path)
    assert awake()
