"""Storage pools and volumes: through virsh, python3-libvirt, virt-install and the command."""
import base64
import os
import shutil
import subprocess
import threading
import time
from xml.etree import ElementTree

import libvirt
import pytest

from lodgetest import READY, guest_files, wait_until
from nettest import net_daemon  # noqa: F401
from virttest import EventLoop, connection, refused, uri, virsh

ROOT_ONLY = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


def pool_xml(name, path, kind="dir", source=""):
    return (f"<pool type='{kind}'><name>{name}</name><source>{source}</source>"
            f"<target><path>{path}</path></target></pool>")


def volume_xml(name, size=1 << 20, format="raw", more=""):
    return (f"<volume><name>{name}</name><capacity>{size}</capacity><allocation>0</allocation>"
            f"<target><format type='{format}'/></target>{more}</volume>")


def start_pool(conn, name, path):
    path.mkdir(exist_ok=True)
    pool = conn.storagePoolDefineXML(pool_xml(name, path))
    pool.create()
    return pool


def test_virsh_life(daemon):
    """The lines that people learn, with stock virsh."""
    target = daemon.root / "vmfs"
    assert "default" in virsh(daemon, "pool-list", "--all").stdout
    for words, said in (
            (["pool-define-as", "vmdisk", "--type", "dir", "--target", target], "Pool vmdisk defined"),
            (["pool-build", "vmdisk"], "Pool vmdisk built"),
            (["pool-start", "vmdisk"], "Pool vmdisk started"),
            (["pool-autostart", "vmdisk"], "Pool vmdisk marked as autostarted"),
            (["vol-create-as", "vmdisk", "oeltest03.qcow2", "20G", "--format", "qcow2"],
             "Vol oeltest03.qcow2 created"),
            (["vol-clone", "--pool", "vmdisk", "oeltest03.qcow2", "copy.qcow2"],
             "Vol copy.qcow2 cloned from oeltest03.qcow2"),
            (["vol-resize", "--pool", "vmdisk", "copy.qcow2", "30G"], "successfully changed to 30G"),
            (["vol-wipe", "--pool", "vmdisk", "copy.qcow2"], "Vol copy.qcow2 wiped"),
            (["vol-delete", "--pool", "vmdisk", "copy.qcow2"], "Vol copy.qcow2 deleted"),
            (["pool-refresh", "vmdisk"], "Pool vmdisk refreshed"),
            (["pool-destroy", "vmdisk"], "Pool vmdisk destroyed"),
            (["pool-start", "vmdisk"], "Pool vmdisk started")):
        assert said in virsh(daemon, *words).stdout
    details = virsh(daemon, "vol-list", "vmdisk", "--details").stdout
    assert "oeltest03.qcow2" in details and "20.00 GiB" in details
    assert "running" in virsh(daemon, "pool-info", "vmdisk").stdout
    assert daemon.lodge("vol-list", "vmdisk", "--details").out.split() == details.split()
    assert "20.00 GiB" in daemon.lodge("vol-info", "oeltest03.qcow2", "--pool", "vmdisk").out
    subprocess.run(["qemu-img", "check", "-q", target / "oeltest03.qcow2"], check=True)
    assert "is still active" in virsh(daemon, "pool-undefine", "vmdisk", ok=False).stderr
    virsh(daemon, "pool-destroy", "vmdisk")
    assert "Directory not empty" in virsh(daemon, "pool-delete", "vmdisk", ok=False).stderr
    (target / "oeltest03.qcow2").unlink()
    virsh(daemon, "pool-delete", "vmdisk")
    virsh(daemon, "pool-undefine", "vmdisk")
    assert not target.exists() and "vmdisk" not in virsh(daemon, "pool-list", "--all").stdout


def test_default_stays_away(daemon):
    """Whoever undefines the pool `default` does not get it again; what was active is so after a crash."""
    virsh(daemon, "pool-destroy", "default")
    virsh(daemon, "pool-undefine", "default")
    virsh(daemon, "pool-create-as", "scratch", "dir", "--target", daemon.root / "images")
    (daemon.root / "images" / "x.img").write_bytes(b"x" * 4096)
    daemon.restart()
    assert virsh(daemon, "pool-list", "--all", "--name").stdout.split() == ["scratch"]
    assert "x.img" in virsh(daemon, "vol-list", "scratch").stdout
    virsh(daemon, "pool-destroy", "scratch")
    assert virsh(daemon, "pool-list", "--all", "--name").stdout.split() == []


def test_lookups_and_lists(daemon):
    with connection(daemon) as conn:
        pool = start_pool(conn, "p", daemon.root / "p")
        one = pool.createXML(volume_xml("one.img"))
        assert conn.storagePoolLookupByTargetPath(str(daemon.root / "p")).name() == "p"
        assert conn.storagePoolLookupByUUIDString(pool.UUIDString()).name() == "p"
        for same in (conn.storageVolLookupByPath(one.path()), conn.storageVolLookupByKey(one.key()),
                     pool.storageVolLookupByName("one.img")):
            assert same.key() == one.key() and same.storagePoolLookupByVolume().name() == "p"
        assert pool.numOfVolumes() == 1 and pool.listVolumes() == ["one.img"]
        assert [volume.name() for volume in pool.listAllVolumes()] == ["one.img"]
        assert sorted(conn.listStoragePools()) == ["default", "p"] and conn.numOfDefinedStoragePools() == 0
        only = libvirt.VIR_CONNECT_LIST_STORAGE_POOLS_LOGICAL
        assert conn.listAllStoragePools(only) == [] and len(conn.listAllStoragePools()) == 2
        assert pool.info()[0] == libvirt.VIR_STORAGE_POOL_RUNNING and pool.isPersistent() and pool.isActive()
        assert one.info()[:2] == [libvirt.VIR_STORAGE_VOL_FILE, 1 << 20]
        assert "<pool type='dir' supported='yes'>" in conn.getStoragePoolCapabilities()
        refused(lambda: pool.storageVolLookupByName("two"), libvirt.VIR_ERR_NO_STORAGE_VOL)
        refused(lambda: conn.storagePoolLookupByName("q"), libvirt.VIR_ERR_NO_STORAGE_POOL)
        pool.destroy()
        refused(pool.listVolumes, libvirt.VIR_ERR_OPERATION_INVALID)
        refused(pool.destroy, libvirt.VIR_ERR_OPERATION_INVALID)
        assert pool.info()[0] == libvirt.VIR_STORAGE_POOL_INACTIVE
        refused(lambda: conn.storagePoolDefineXML(pool_xml("other", daemon.root / "p")),
                libvirt.VIR_ERR_OPERATION_FAILED)


def test_names_that_are_tricks(daemon):
    with connection(daemon) as conn:
        pool = start_pool(conn, "p", daemon.root / "p")
        for name in ("../x", "/etc/lodge-x", "a/b", ".", "..", "a&#10;b", "x" * 4096):
            with pytest.raises(libvirt.libvirtError):
                pool.createXML(volume_xml(name))
        assert pool.listVolumes() == [] and os.listdir(daemon.root / "p") == []
        pool.createXML(volume_xml("-rf"))
        assert pool.listVolumes() == ["-rf"]


def test_folder_is_watched(daemon):
    """What others put into the folder or take from it shows up without a refresh."""
    with connection(daemon) as conn:
        pool = start_pool(conn, "p", daemon.root / "p")
        (daemon.root / "p" / "a.img").write_bytes(b"\0" * 8192)
        subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", daemon.root / "p" / "b.qcow2", "1G"],
                       check=True)
        os.mkfifo(daemon.root / "p" / "fifo")
        wait_until(lambda: set(pool.listVolumes()) == {"a.img", "b.qcow2"}, 60, "the files are volumes")
        pool.refresh()
        assert pool.storageVolLookupByName("b.qcow2").info()[1] == 1 << 30
        os.rename(daemon.root / "p" / "a.img", daemon.root / "p" / "c.img")
        wait_until(lambda: set(pool.listVolumes()) == {"b.qcow2", "c.img"}, 60, "the new name is known")
        for i in range(1500):
            (daemon.root / "p" / f"{i}.img").touch()
        pool.refresh()
        assert pool.numOfVolumes() == 1502
        shutil.rmtree(daemon.root / "p")
        with pytest.raises(libvirt.libvirtError):
            pool.refresh()
        assert conn.storagePoolLookupByName("default").isActive()


def test_chains(daemon):
    """A base is not deleted, and headers lead to volumes of pools alone."""
    with connection(daemon) as conn:
        pool = start_pool(conn, "p", daemon.root / "p")
        base = pool.createXML(volume_xml("base.qcow2", 1 << 30, "qcow2"))
        below = f"<backingStore><path>{base.path()}</path><format type='qcow2'/></backingStore>"
        top = pool.createXML(volume_xml("top.qcow2", 1 << 30, "qcow2", below))
        assert base.path() in top.XMLDesc()
        assert "top.qcow2" in refused(base.delete, libvirt.VIR_ERR_RESOURCE_BUSY)
        copy = pool.createXMLFrom(volume_xml("copy.raw", 1 << 30), top)
        assert copy.info()[1] == 1 << 30 and copy.info()[2] < 1 << 20
        top.delete()
        base.delete()
        subprocess.run(["qemu-img", "create", "-q", "-u", "-f", "qcow2", "-b", "/etc/shadow", "-F", "raw",
                        daemon.root / "p" / "evil.qcow2", "1M"], check=True)
        pool.refresh()
        evil = pool.storageVolLookupByName("evil.qcow2")
        assert "/etc/shadow" in evil.XMLDesc()
        refused(lambda: pool.createXMLFrom(volume_xml("stolen.raw"), evil), libvirt.VIR_ERR_OPERATION_DENIED)
        (daemon.root / "p" / "short.qcow2").write_bytes((daemon.root / "p" / "evil.qcow2").read_bytes()[:60])
        pool.refresh()
        assert "short.qcow2" in pool.listVolumes()


def test_whose_folder_and_files(daemon):
    """What a document says of permissions and times is what the file system says, also after a change."""
    folder = daemon.root / "own"
    with connection(daemon) as conn:
        pool = start_pool(conn, "own", folder)
        folder.chmod(0o2751)
        pool.refresh()
        xml = ElementTree.fromstring(pool.XMLDesc())
        assert [xml.findtext(f"target/permissions/{name}") for name in ("mode", "owner", "group")] == \
            ["2751", str(folder.stat().st_uid), str(folder.stat().st_gid)]
        assert "<permissions>" not in pool.XMLDesc(libvirt.VIR_STORAGE_XML_INACTIVE)
        base = pool.createXML(volume_xml("base", format="qcow2"))
        (folder / "base").chmod(0o640)
        os.utime(folder / "base", (1700000000, 1700000000))
        top = pool.createXML(volume_xml("top", format="qcow2", more=f"<backingStore><path>{base.path()}</path>"
                                        "<format type='qcow2'/></backingStore>"))
        own, backing = ElementTree.fromstring(base.XMLDesc()), ElementTree.fromstring(top.XMLDesc())
        for at in own.find("target"), backing.find("backingStore"):
            assert (at.findtext("permissions/mode"), at.findtext("timestamps/mtime")) == ("0640", "1700000000")
        os.remove(base.path())
        assert ElementTree.fromstring(top.XMLDesc()).find("backingStore/permissions") is None
        pool.destroy()
        assert "<permissions>" not in pool.XMLDesc()


def test_one_name_for_two(daemon):
    """Of those who make the same volume at the same time one wins."""
    outcomes = []

    def make():
        with connection(daemon) as conn:
            try:
                conn.storagePoolLookupByName("default").createXML(volume_xml("same.img"))
                outcomes.append(True)
            except libvirt.libvirtError:
                outcomes.append(False)

    threads = [threading.Thread(target=make) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes.count(True) == 1 and len(outcomes) == 8


def test_streams(daemon):
    data = os.urandom(1 << 20) + bytes(4 << 20) + os.urandom(12345)
    with connection(daemon) as conn:
        pool = conn.storagePoolLookupByName("default")
        volume = pool.createXML(volume_xml("v.raw", len(data)))
        stream = conn.newStream()
        volume.upload(stream, 0, len(data))
        source = memoryview(data)
        stream.sendAll(lambda _, size, at: bytes(source[at[0]:at.__setitem__(0, at[0] + size) or at[0]]), [0])
        stream.finish()
        for flags in (0, libvirt.VIR_STORAGE_VOL_DOWNLOAD_SPARSE_STREAM):
            stream, got = conn.newStream(), bytearray()
            volume.download(stream, 0, 0, flags)
            if flags:
                stream.sparseRecvAll(lambda _, part, out: out.extend(part),
                                     lambda _, n, out: out.extend(bytes(n)), got)
            else:
                stream.recvAll(lambda _, part, out: out.extend(part), got)
            stream.finish()
            assert got == data
        sparse = pool.createXML(volume_xml("sparse.raw", 8 << 20))
        stream = conn.newStream()
        sparse.upload(stream, 4096, 0, libvirt.VIR_STORAGE_VOL_UPLOAD_SPARSE_STREAM)
        stream.send(b"a" * 4096)
        stream.sendHole(4 << 20)
        stream.send(b"b")
        stream.finish()
        content = open(sparse.path(), "rb").read()
        assert content[4096:8192] == b"a" * 4096 and content[8192 + (4 << 20)] == ord("b")
        assert sparse.info()[2] < 1 << 20
        stream = conn.newStream()
        sparse.upload(stream, 8 << 20, 4096)
        with pytest.raises(libvirt.libvirtError):
            stream.send(b"too much" * 1000)
            stream.finish()
        grown = pool.createXML(volume_xml("grown.qcow2", 1 << 30, "qcow2"))
        stream = conn.newStream()
        grown.upload(stream, 0, 0)  # images are larger than the volume that was made for them
        for at in range(0, len(data), 1 << 20):
            stream.send(data[at:at + (1 << 20)])
        stream.finish()
        assert open(grown.path(), "rb").read()[:len(data)] == data
        stream = conn.newStream()
        volume.upload(stream, 0, 0)
        stream.abort()
        wait_until(lambda: not in_use(volume), 60, "the aborted upload lets go")
    file = daemon.root / "file"
    file.write_bytes(data)
    daemon.lodge("vol-upload", "v.raw", file, "--pool", "default")
    daemon.lodge("vol-download", "v.raw", daemon.root / "out", "--pool", "default", "--sparse")
    assert (daemon.root / "out").read_bytes() == data
    virsh(daemon, "vol-download", "v.raw", daemon.root / "out2", "--pool", "default")
    assert (daemon.root / "out2").read_bytes() == data


def in_use(volume):
    try:
        volume.resize(volume.info()[1])
        return False
    except libvirt.libvirtError:
        return True


def test_events(daemon):
    EventLoop.start()
    heard = []
    with connection(daemon) as conn:
        def life(_, pool, event, detail, __):
            heard.append((pool.name(), event))

        def refreshed(_, pool, __):
            heard.append((pool.name(), "refresh"))

        register = conn.storagePoolEventRegisterAny
        register(None, libvirt.VIR_STORAGE_POOL_EVENT_ID_LIFECYCLE, life, None)
        register(None, libvirt.VIR_STORAGE_POOL_EVENT_ID_REFRESH, refreshed, None)
        pool = start_pool(conn, "p", daemon.root / "p")
        pool.refresh()
        pool.destroy()
        pool.undefine()
        wanted = [("p", event) for event in (0, 2, "refresh", 3, 1)]
        wait_until(lambda: heard == wanted, 60, f"the events are {wanted}: {heard}")


def test_disk_of_a_pool(daemon):
    """A guest boots with <disk type='volume'>, and then the volume is in use."""
    virsh(daemon, "vol-create-as", "default", "data.qcow2", "1G", "--format", "qcow2")
    disk = ("<disk type='volume' device='disk'><driver name='qemu' type='qcow2'/>"
            "<source pool='default' volume='data.qcow2'/><target dev='vda' bus='virtio'/></disk>")
    daemon.define("web1", devices=disk)
    virsh(daemon, "start", "web1")
    daemon.console("web1").expect(READY)
    assert f"{daemon.root}/images/data.qcow2" in virsh(daemon, "domblklist", "web1").stdout
    error = virsh(daemon, "vol-delete", "data.qcow2", "--pool", "default", ok=False).stderr
    assert 'guest "web1" runs with it' in error
    virsh(daemon, "vol-wipe", "data.qcow2", "--pool", "default", ok=False)
    virsh(daemon, "destroy", "web1")
    assert "type='volume'" in virsh(daemon, "dumpxml", "web1").stdout
    virsh(daemon, "vol-delete", "data.qcow2", "--pool", "default")
    error = virsh(daemon, "start", "web1", ok=False).stderr
    assert "data.qcow2" in error and "default" in error


@pytest.mark.skipif(not shutil.which("virt-install"), reason="virt-install is not installed")
def test_virt_install(daemon):
    files = guest_files()
    virsh(daemon, "vol-create-as", "default", "there.qcow2", "1G", "--format", "qcow2")
    subprocess.run(
        ["virt-install", "--connect", uri(daemon), "--name", "web1", "--virt-type", "qemu", "--memory", "128",
         "--import", "--disk", "size=1", "--disk", "vol=default/there.qcow2", "--network", "none",
         "--graphics", "none", "--osinfo", "detect=off,require=off", "--noautoconsole", "--boot",
         f"kernel={files}/vmlinuz,initrd={files}/initramfs,kernel_args='console=ttyS0 quiet no_timer_check'"],
        check=True, stdin=subprocess.DEVNULL, env={**daemon.env, "HOME": str(daemon.root)}, timeout=120)
    assert "web1.qcow2" in virsh(daemon, "vol-list", "default").stdout
    daemon.console("web1").expect(READY)
    virsh(daemon, "destroy", "web1")


def test_killed_while_it_copies(daemon):
    """What a killed daemon was copying is gone after its next start, and nothing else is."""
    images = daemon.root / "images"
    with open(images / "big.raw", "wb") as big:
        for _ in range(64):
            big.write(os.urandom(1 << 20))
    virsh(daemon, "pool-refresh", "default")
    words = ["vol-clone", "--pool", "default", "big.raw", "c.qcow2"]
    clone = subprocess.Popen(["virsh", "-c", uri(daemon), *words], env=daemon.env,
                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(0.05)
    daemon.restart()
    clone.wait(60)
    left = set(os.listdir(images))
    assert "big.raw" in left and left <= {"big.raw", "c.qcow2"}, left
    assert virsh(daemon, "vol-list", "default").stdout.count("big.raw") == 2


@ROOT_ONLY
def test_full_disk(daemon):
    """A volume that does not fit leaves nothing."""
    small = daemon.root / "small"
    small.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=8m", "none", small]
    if subprocess.run(mount, stderr=subprocess.DEVNULL).returncode:
        pytest.skip("nothing can be mounted here")
    try:
        with connection(daemon) as conn:
            pool = start_pool(conn, "small", small)
            with pytest.raises(libvirt.libvirtError) as error:
                pool.createXML(f"<volume><name>x</name><capacity>{64 << 20}</capacity></volume>")
            assert "No space left" in str(error.value)
            assert pool.listVolumes() == [] and os.listdir(small) == []
            pool.destroy()
    finally:
        subprocess.run(["umount", "-l", small], check=True)


def test_kinds_that_are_not_here(daemon):
    """A pool whose tools or kernel support are missing is defined, and its start says what is missing."""
    for kind, source, missing in (("rbd", "<name>p</name><host name='h'/>", "ceph-common"),
                                  ("zfs", "<name>tank</name>", "zfsutils-linux")):
        if shutil.which({"rbd": "rbd", "zfs": "zfs"}[kind]):
            continue
        xml = f"<pool type='{kind}'><name>{kind}</name><source>{source}</source></pool>"
        virsh(daemon, "pool-define", daemon.write("pool.xml", xml))
        error = virsh(daemon, "pool-start", kind, ok=False).stderr
        assert missing in error, error


def loop_device(path):
    path.write_bytes(b"")
    os.truncate(path, 64 << 20)
    done = subprocess.run(["losetup", "-f", "-P", "--show", path], stdout=subprocess.PIPE, text=True)
    if done.returncode:
        pytest.skip("there are no loop devices here")
    return done.stdout.strip()


@ROOT_ONLY
def test_fs_and_disk(daemon):
    """File systems and partitions on a loop device."""
    device = loop_device(daemon.root / "disk")
    try:
        virsh(daemon, "pool-define-as", "files", "fs", "--source-dev", device, "--source-format", "ext4",
              "--target", daemon.root / "mnt")
        assert "build" in virsh(daemon, "pool-start", "files", ok=False).stderr
        virsh(daemon, "pool-build", "files", "--no-overwrite")
        virsh(daemon, "pool-start", "files")
        assert os.path.ismount(daemon.root / "mnt")
        virsh(daemon, "vol-create-as", "files", "a.img", "1M")
        daemon.restart()
        assert "a.img" in virsh(daemon, "vol-list", "files").stdout
        virsh(daemon, "pool-destroy", "files")
        assert not os.path.ismount(daemon.root / "mnt")
        assert "holds ext4" in virsh(daemon, "pool-build", "files", "--no-overwrite", ok=False).stderr
        virsh(daemon, "pool-undefine", "files")

        virsh(daemon, "pool-define-as", "parts", "disk", "--source-dev", device, "--source-format", "gpt",
              "--target", "/dev")
        assert "holds ext4" in virsh(daemon, "pool-build", "parts", ok=False).stderr
        virsh(daemon, "pool-build", "parts", "--overwrite")
        virsh(daemon, "pool-start", "parts")
        part = os.path.basename(device) + "p1"
        assert f"expected '{part}'" in virsh(daemon, "vol-create-as", "parts", "x", "8M", ok=False).stderr
        virsh(daemon, "vol-create-as", "parts", part, "8M")
        xml = virsh(daemon, "vol-dumpxml", part, "--pool", "parts").stdout
        assert "<format type='linux'/>" in xml and f"<device path='{device}'>" in xml
        virsh(daemon, "vol-delete", part, "--pool", "parts")
        assert part not in virsh(daemon, "vol-list", "parts").stdout
        virsh(daemon, "pool-destroy", "parts")
    finally:
        subprocess.run(["umount", "-l", daemon.root / "mnt"], stderr=subprocess.DEVNULL)
        subprocess.run(["losetup", "-d", device])


@pytest.mark.skipif(not shutil.which("tgtd") or not shutil.which("iscsi-ls"),
                    reason="needs tgt and libiscsi-bin")
def test_iscsi_direct(net_daemon):  # noqa: F811
    """The units of an iSCSI target, which QEMU logs in to, are volumes and a guest's disk."""
    daemon, name = net_daemon, "iqn.2026-01.org.example:disk"
    unit = daemon.root / "unit"
    unit.write_bytes(b"")
    os.truncate(unit, 16 << 20)
    # the target's control socket has a name of this daemon's process, for others run tgtd too
    port = str(daemon.process.pid % 30000)
    target = subprocess.Popen(daemon.inside("tgtd", "-f", "-C", port, "--iscsi", "portal=127.0.0.1:3260"),
                              stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        admin = f"tgtadm -C {port} --lld iscsi"
        show = f"{admin} --op show --mode sys"
        wait_until(lambda: target.poll() is not None or "System" in daemon.sh(show, ok=False), 60,
                   "tgtd answers")
        if target.poll() is not None:
            pytest.skip("tgtd does not run here")
        daemon.sh(f"{admin} --op new --mode target --tid 1 -T {name} && "
                  f"{admin} --op new --mode logicalunit --tid 1 --lun 1 -b {unit} && "
                  f"{admin} --op bind --mode target --tid 1 -I ALL")
        xml = ("<pool type='iscsi-direct'><name>san</name><source><host name='127.0.0.1'/>"
               f"<device path='{name}'/><initiator><iqn name='iqn.2026-01.org.example:me'/></initiator>"
               "</source></pool>")
        virsh(daemon, "pool-define", daemon.write("san.xml", xml))
        virsh(daemon, "pool-start", "san")
        listed = virsh(daemon, "vol-list", "san", "--details").stdout
        assert "unit:0:0:1" in listed and "16.00 MiB" in listed and "network" in listed
        disk = ("<disk type='volume' device='disk'><driver name='qemu' type='raw'/>"
                "<source pool='san' volume='unit:0:0:1'/><target dev='vda' bus='virtio'/></disk>")
        daemon.define("web1", devices=disk)
        virsh(daemon, "start", "web1")
        console = daemon.console("web1")
        console.expect(READY)
        console.run("echo from-the-guest > /dev/vda && sync")
        virsh(daemon, "destroy", "web1")
        assert unit.read_bytes().startswith(b"from-the-guest")
        error = virsh(daemon, "vol-create-as", "san", "x", "1M", ok=False).stderr
        assert "does not support volume creation" in error
        virsh(daemon, "pool-destroy", "san")

        daemon.sh(f"{admin} --op new --mode account --user me --password aSecretOf16Bytes && "
                  f"{admin} --op bind --mode account --tid 1 --user me")
        assert "san" in virsh(daemon, "pool-start", "san", ok=False).stderr
        secret = ("<secret ephemeral='no' private='yes'><usage type='iscsi'><target>san</target></usage>"
                  "<uuid>a7c1bd2e-1e1c-4d5f-9f0f-0a2d3ab5c001</uuid></secret>")
        virsh(daemon, "secret-define", daemon.write("secret.xml", secret))
        value = base64.b64encode(b"aSecretOf16Bytes").decode()
        virsh(daemon, "secret-set-value", "a7c1bd2e-1e1c-4d5f-9f0f-0a2d3ab5c001", value)
        login = "<auth type='chap' username='me'><secret usage='san'/></auth></source>"
        virsh(daemon, "pool-define", daemon.write("san.xml", xml.replace("</source>", login)))
        virsh(daemon, "pool-start", "san")
        assert "unit:0:0:1" in virsh(daemon, "vol-list", "san").stdout
        virsh(daemon, "start", "web1")
        assert "username='me'" in virsh(daemon, "dumpxml", "web1").stdout
        virsh(daemon, "destroy", "web1")
    finally:
        target.kill()
        target.wait()
