"""A disk on NFS: a real guest boots with it, QEMU's own client reaches the server."""
import contextlib
import os
import pwd
import subprocess

import pytest

from lodgetest import READY, ROOT, guest_files
from nettest import net_daemon  # noqa: F401

DISK = """<disk type='network' device='disk'><driver name='qemu' type='raw'/>
<source protocol='nfs' name='{path}'><host name='127.0.0.1'/></source>
<target dev='vda' bus='virtio'/></disk>"""


def guests_account():
    """Whom QEMU runs as, and so who it is on the server."""
    for name in ("lodge-qemu", "libvirt-qemu", "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name)
    return None


@pytest.fixture
def export(net_daemon, tmp_path):  # noqa: F811
    """A folder that is served in the daemon's network, with disk.img, both of guests' account."""
    folder, work = tmp_path / "export", tmp_path / "work"
    folder.mkdir(mode=0o755)
    work.mkdir()
    (folder / "disk.img").write_bytes(bytes(8 << 20))
    for path in (folder, folder / "disk.img"):
        os.chown(path, guests_account().pw_uid, guests_account().pw_gid)
    (folder / "disk.img").chmod(0o600)
    server = subprocess.Popen(net_daemon.inside("unshare", "--mount", "--pid", "--fork", "--kill-child", "bash",
                                                ROOT / "tests" / "guest" / "nfs-server",
                                                guest_files("nfs") / "tree", folder, work),
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        said = server.stdout.readline()
        log = (work / "ganesha.log").read_text() if (work / "ganesha.log").exists() else ""
        if "serving" not in said or "NFS SERVER INITIALIZED" not in log:
            pytest.skip(f"nfs-ganesha does not run here: {log[-1000:]}")
        yield folder
    finally:
        server.kill()
        server.wait()


@pytest.mark.timeout(400)  # the first run fetches packages
def test_guest_on_nfs(net_daemon, export):  # noqa: F811
    daemon = net_daemon
    daemon.define("web1", devices=DISK.format(path=export / "disk.img"))
    daemon.lodge("start", "web1")
    console = daemon.console("web1")
    console.expect(READY)
    console.run("echo from-the-guest > /dev/vda && sync")
    daemon.lodge("destroy", "web1")
    assert (export / "disk.img").read_bytes().startswith(b"from-the-guest")
    # what is not there is named
    daemon.define("web2", devices=DISK.format(path=export / "none.img"))
    assert "none.img" in daemon.lodge("start", "web2", ok=False).err
