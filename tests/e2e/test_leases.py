"""Images on file systems that locks do not cross: lease files keep two daemons from writing one at once. Two
mounts of one folder by FUSE are what two hosts would see of it."""
import json
import os
import shutil
import subprocess
import time

import pytest

from lodgetest import end, wait_until
from test_pools import pool_xml

pytestmark = pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("bindfs") or not os.path.exists("/dev/fuse"),
                                reason="needs root, bindfs and FUSE")
DISK = "<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='{}'/><target dev='vda'/></disk>"


@pytest.fixture
def mounts(tmp_path):
    """Two views of one folder with the file disk.img."""
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "disk.img").write_bytes(bytes(1 << 20))
    views = [tmp_path / "one", tmp_path / "two"]
    for view in views:
        view.mkdir()
        done = subprocess.run(["bindfs", tmp_path / "real", view], stderr=subprocess.PIPE, text=True)
        if done.returncode:
            pytest.skip(f"FUSE does not work here: {done.stderr}")
    yield views
    for view in views:
        subprocess.run(["umount", "-l", view], check=True)


def keeper_of(lease):
    return json.loads(lease.read_text())["pid"]


def test_two_daemons(mounts, make_daemon):
    one, two = make_daemon().start(), make_daemon().start()
    lease = mounts[0] / ".disk.img.lease"
    for daemon, name, view in ((one, "web", mounts[0]), (two, "db", mounts[1])):
        daemon.define(name, boot=False, devices=DISK.format(view / "disk.img"))
    one.lodge("start", "web")
    found = json.loads(lease.read_text())
    assert found["holder"] == 'guest "web"'
    # other daemons, tools and work on volumes; the list of volumes does not show it
    said = two.lodge("start", "db", ok=False).err
    assert 'guest "web"' in said and "disk.img" in said and 'guest "db"' in said
    assert 'guest "web"' in two.lodge("image", "resize", "-f", "raw", mounts[1] / "disk.img", "4M", ok=False).err
    two.lodge("pool-define", two.write("pool.xml", pool_xml("shared", mounts[1])))
    two.lodge("pool-start", "shared")
    assert two.lodge("vol-list", "shared", "--json").json["volumes"][0]["name"] == "disk.img"
    assert ".lease" not in two.lodge("vol-list", "shared").out
    for words in (["vol-resize", "disk.img", "4M", "shared"], ["vol-delete", "disk.img", "shared"],
                  ["vol-wipe", "disk.img", "shared"]):
        assert 'guest "web"' in two.lodge(*words, ok=False).err
    # a daemon that dies changes nothing: its guest runs on
    one.kill()
    assert 'guest "web"' in two.lodge("start", "db", ok=False).err
    one.start()
    one.lodge("destroy", "web")
    wait_until(lambda: not lease.exists(), 60, "the lease is gone with the guest")
    two.lodge("start", "db")
    assert json.loads(lease.read_text())["holder"] == 'guest "db"'
    # who keeps it and the guest die together, as with the host: free on this host at once
    keeper, qemu = keeper_of(lease), two.qemu_of("db")
    end(keeper, qemu)
    assert lease.exists()
    one.lodge("start", "web")
    assert json.loads(lease.read_text())["holder"] == 'guest "web"'
    one.lodge("destroy", "web")
    wait_until(lambda: not lease.exists(), 60, "the lease is gone with the guest")


def test_another_host(mounts, daemon):
    """A lease of a host that is not this one counts until it was not touched for a minute; a guest whose image
    was taken over does not go on."""
    lease, image = mounts[0] / ".disk.img.lease", mounts[0] / "disk.img"
    text = json.dumps({"holder": 'guest "far"', "host": "alpha", "boot": "elsewhere", "pid": 1, "lease": "1"})
    lease.write_text(text)
    daemon.define("web", boot=False, devices=DISK.format(image))
    said = daemon.lodge("start", "web", ok=False).err
    assert 'guest "far" on host alpha' in said and "disk.img" in said
    old = time.time() - 90
    os.utime(lease, (old, old))
    daemon.lodge("start", "web")
    lease.write_text(text)
    daemon.wait_state("web", "shut off")
    assert lease.read_text() == text
    lease.unlink()
    # work on volumes has one for as long as it lasts
    daemon.lodge("pool-define", daemon.write("pool.xml", pool_xml("shared", mounts[0])))
    daemon.lodge("pool-start", "shared")
    daemon.lodge("vol-resize", "disk.img", "4M", "shared")
    assert not lease.exists()
