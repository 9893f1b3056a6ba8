"""Disks of another size: of volumes that nobody uses, and of a guest that runs and sees it."""
import json
import subprocess

import libvirt

from lodgetest import READY, run_image_tool
from virttest import connection, refused, virsh

MIB = 1 << 20
DISK = """<disk type='file' device='disk'><driver name='qemu' type='{kind}'/><source file='{path}'/>
<target dev='{target}' bus='virtio'/></disk>"""


def image(path):
    done = subprocess.run(["qemu-img", "info", "-U", "--output=json", path], check=True, stdout=subprocess.PIPE)
    return json.loads(done.stdout)


def make(daemon, name, size, *options):
    daemon.lodge("vol-create-as", "default", name, size, *options)
    return daemon.root / "images" / name


def test_running_guest(daemon):
    """blockresize and vol-resize reach the guest, and the figures of volume and pool follow."""
    raw, qcow = make(daemon, "a.img", "8M", "--allocation", "0"), make(daemon, "b.qcow2", "8M", "--format", "qcow2")
    devices = DISK.format(kind="raw", path=raw, target="vda") + DISK.format(kind="qcow2", path=qcow, target="vdb")
    daemon.define("web", devices=devices)
    assert "not running" in daemon.lodge("blockresize", "web", "vda", "16M", ok=False).err
    daemon.lodge("start", "web")
    console = daemon.console("web")
    console.expect(READY)

    def sees(disk, mib):
        return str(mib * 2048) in console.run(f"cat /sys/block/{disk}/size").split()

    assert sees("vda", 8) and sees("vdb", 8)
    assert "Block device 'vda' is resized" in virsh(daemon, "blockresize", "web", "vda", "16M").stdout
    assert sees("vda", 16) and raw.stat().st_size == 16 * MIB
    daemon.lodge("vol-resize", "b.qcow2", "8M", "default", "--delta")
    assert sees("vdb", 16) and image(qcow)["virtual-size"] == 16 * MIB
    assert f"{16 * MIB} bytes" in daemon.lodge("vol-info", "b.qcow2", "default", "--bytes").out
    assert f"{16 * MIB} bytes" in daemon.lodge("vol-info", "a.img", "default", "--bytes").out
    # smaller: only where that is said; nothing changed until then
    for words in (["blockresize", "web", "vda", "8M"], ["vol-resize", "b.qcow2", "8M", "default"],
                  ["blockresize", "web", "vdz", "32M"], ["blockresize", "web", "vdb", "32M", "--allocate"]):
        said = daemon.lodge(*words, ok=False).err
        assert "vd" in said or "shrink" in said or "less than" in said
    assert sees("vda", 16) and sees("vdb", 16)
    daemon.lodge("vol-resize", "b.qcow2", "12M", "default", "--shrink")
    assert sees("vdb", 12)
    daemon.lodge("vol-resize", "a.img", "20M", "default", "--allocate")
    assert sees("vda", 20) and raw.stat().st_blocks * 512 >= 4 * MIB
    with connection(daemon) as conn:
        guest = conn.lookupByName("web")
        guest.blockResize("vda", 24 * 1024)  # KiB
        guest.blockResize(str(qcow), 24 * MIB, libvirt.VIR_DOMAIN_BLOCK_RESIZE_BYTES)
        refused(lambda: guest.blockResize("vda", 1 << 60), libvirt.VIR_ERR_OVERFLOW)
        assert guest.blockInfo("vda")[0] == 24 * MIB
    assert sees("vda", 24) and sees("vdb", 24)


def snapshot(path):
    subprocess.run(["qemu-img", "snapshot", "-c", "one", path], check=True)


def test_unused_volumes(daemon):
    """What may change its size and what not, with the reason; encrypted ones by the key they need."""
    new, old = make(daemon, "new.qcow2", "8M", "--format", "qcow2"), daemon.root / "images" / "old.qcow2"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "-o", "compat=0.10", old, "8M"], check=True)
    daemon.lodge("pool-refresh", "default")
    snapshot(new)
    snapshot(old)
    daemon.lodge("vol-resize", "new.qcow2", "16M", "default")
    for words in (["new.qcow2", "8M", "default", "--shrink"], ["old.qcow2", "16M", "default"]):
        said = daemon.lodge("vol-resize", *words, ok=False).err
        assert "1 internal snapshots" in said and "qemu-img" in said
    assert image(new)["virtual-size"] == 16 * MIB and image(old)["virtual-size"] == 8 * MIB
    raw = make(daemon, "raw.img", "1M", "--allocation", "0")
    daemon.lodge("vol-resize", "raw.img", "4M", "default", "--allocate")
    assert raw.stat().st_size == 4 * MIB and raw.stat().st_blocks * 512 >= 3 * MIB  # what was added
    daemon.lodge("vol-resize", "raw.img", "-1M", "default", "--shrink")
    assert raw.stat().st_size == 3 * MIB


def test_encrypted_volumes(daemon, tmp_path):
    """An image of LUKS needs no key, its header tells no size; an encrypted qcow2 needs its secret."""
    key, images = tmp_path / "key", daemon.root / "images"
    key.write_text("open sesame")
    locked = ["--object", f"secret,id=k,file={key}"]
    for name, words in (("plain.luks", ["-f", "luks", "-o", "key-secret=k,iter-time=10"]),
                        ("q.qcow2", ["-f", "qcow2", "-o",
                                     "encrypt.format=luks,encrypt.key-secret=k,encrypt.iter-time=10"])):
        made = run_image_tool(["qemu-img", "create", "-q", *locked, *words, images / name, "4M"])
        assert made.returncode == 0, made.stderr
    daemon.lodge("pool-refresh", "default")
    said = daemon.lodge("vol-resize", "q.qcow2", "12M", "default", ok=False).err
    assert "encrypted" in said and "secret" in said
    with connection(daemon) as conn:
        secret = conn.secretDefineXML("<secret private='yes'><usage type='volume'>"
                                      f"<volume>{images}/q.qcow2</volume></usage></secret>")
        secret.setValue(b"open sesame")
        pool = conn.storagePoolLookupByName("default")
        for name, how in (("plain.luks", "driver=luks,key-secret=k"),
                          ("q.qcow2", "driver=qcow2,encrypt.format=luks,encrypt.key-secret=k")):
            pool.storageVolLookupByName(name).resize(8 * MIB)
            assert pool.storageVolLookupByName(name).info()[1] == 8 * MIB
            done = subprocess.run(["qemu-img", "info", *locked, "--image-opts", "--output=json",
                                   f"{how},file.filename={images}/{name}"], check=True, stdout=subprocess.PIPE)
            assert json.loads(done.stdout)["virtual-size"] == 8 * MIB
        secret.undefine()
