"""<transient/> disks: what a guest writes to them is gone with it, whatever ends it, and nobody else sees it."""
import hashlib
import json
import subprocess

import pytest

from lodgetest import end

SIZE = 4 << 20


def disk(path, format="raw", target="vda", words="<transient shareBacking='yes'/>"):
    return f"<disk type='file' device='disk'><driver name='qemu' type='{format}'/><source file='{path}'/>" \
           f"<target dev='{target}' bus='virtio'/>{words}</disk>"


def ask(daemon, guest, command, **arguments):
    command = json.dumps({"execute": command, "arguments": arguments})
    said = daemon.lodge("qemu-monitor-command", guest, command).out
    assert "error" not in json.loads(said), said


def export(daemon, guest, node="libvirt-1-scratch"):
    """What the guest's disk is made of, for qemu-io: its processors stand still."""
    folder = daemon.root / "nbd"
    folder.mkdir(exist_ok=True)
    folder.chmod(0o777)
    path = folder / f"{guest}.sock"
    ask(daemon, guest, "nbd-server-start", addr={"type": "unix", "data": {"path": str(path)}})
    ask(daemon, guest, "block-export-add", type="nbd", id="e", name="e", **{"node-name": node})
    return f"nbd+unix:///e?socket={path}"


def writes(daemon, guest, byte, device="/machine/peripheral/virtio-disk0/virtio-backend"):
    """As the guest does. What comes of it is seen by reading."""
    daemon.lodge("qemu-monitor-command", guest, "--hmp", f'qemu-io -d {device} "write -P {byte} 0 64k"')


def reads(where, byte):
    said = subprocess.run(["qemu-io", "-r", "-f", "raw", "-c", f"read -P {byte} 0 64k", where], check=True, text=True,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE).stdout
    return "65536/65536" in said and "Pattern verification failed" not in said


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "images"
    folder.mkdir()
    (folder / "base.img").write_bytes(b"\x07" * SIZE)
    return folder


def digest(folder):
    return {entry.name: hashlib.sha256(entry.read_bytes()).digest() for entry in folder.iterdir()}


def test_two_on_one_image(daemon, folder):
    before = digest(folder)
    for name in ("web1", "web2"):
        daemon.define(name, boot=False, devices=disk(folder / "base.img"))
        daemon.lodge("start", name, "--paused")
    daemon.lodge("blockresize", "web2", "vda", "8M")
    assert f"block.0.capacity={8 << 20}" in daemon.lodge("domstats", "web2", "--block").out
    one, two = export(daemon, "web1"), export(daemon, "web2")
    writes(daemon, "web1", 1)
    assert reads(one, 1) and reads(two, 7)
    assert digest(folder) == before  # also: no file more
    assert "transient" in daemon.lodge("save", "web1", folder / "save", ok=False).err
    daemon.define("web3", boot=False, devices=disk(folder / "base.img", words=""))
    assert "web" in daemon.lodge("start", "web3", "--paused", ok=False).err  # may not write what they read
    daemon.restart()
    assert daemon.state("web1") == "paused" and reads(one, 1)
    assert "vda" in daemon.lodge("domblklist", "web1").out
    # both killed: the next daemon finds nothing, and the next run begins with the image
    pid = daemon.qemu_of("web1")
    daemon.kill()
    end(pid)
    daemon.start()
    daemon.wait_state("web1", "shut off")
    assert digest(folder) == before
    daemon.lodge("start", "web1", "--paused")
    assert reads(export(daemon, "web1"), 7)
    for name in ("web1", "web2"):
        daemon.lodge("destroy", name)
    daemon.lodge("start", "web3", "--paused")
    daemon.lodge("destroy", "web3")
    assert digest(folder) == before and not list((daemon.root / "lib").rglob("*transient*"))
