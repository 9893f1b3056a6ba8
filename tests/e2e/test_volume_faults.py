"""Pools and volumes that are broken on purpose: disks that are full, daemons that are killed, headers that
lie, folders that go, servers that hang. Nothing is left, nothing is lost, and nobody else waits."""
import contextlib
import hashlib
import os
import pathlib
import random
import shutil
import signal
import struct
import subprocess
import sys
import threading
import time

import libvirt
import pytest

from lodgetest import LODGE, wait_until
from virttest import connection, refused, virsh

ROOT_ONLY = pytest.mark.skipif(os.geteuid() != 0, reason="mounts file systems")
MIB = 1 << 20


def pool_xml(name, path):
    return f"<pool type='dir'><name>{name}</name><target><path>{path}</path></target></pool>"


def volume_xml(name, size=MIB, kind="raw", more="", allocation=0):
    return (f"<volume><name>{name}</name><capacity>{size}</capacity><allocation>{allocation}</allocation>"
            f"<target><format type='{kind}'/></target>{more}</volume>")


def add_pool(conn, name, path):
    path.mkdir(exist_ok=True)
    return conn.storagePoolCreateXML(pool_xml(name, path))


def qemu_img(*words):
    subprocess.run(["qemu-img", *map(str, words)], check=True, stdout=subprocess.DEVNULL)


def content(folder):
    """Every name below a folder, with what is in it."""
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in folder.rglob("*") if path.is_file()}


@contextlib.contextmanager
def mounted(folder, *words):
    folder.mkdir(exist_ok=True)
    done = subprocess.run(["mount", *words, folder], stderr=subprocess.PIPE, text=True)
    if done.returncode:
        pytest.skip(f"nothing can be mounted here: {done.stderr}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


# ---- a full disk ----

@ROOT_ONLY
@pytest.mark.parametrize("system", ("tmpfs", "ext4"))
def test_full_disk(daemon, system):
    """In the middle of everything that writes: no file more, none changed, and who is full is named."""
    image = daemon.root / "disk"
    how = ["-t", "tmpfs", "-o", "size=12m", "none"]
    if system == "ext4":
        image.write_bytes(b"")
        os.truncate(image, 16 * MIB)
        subprocess.run(["mkfs.ext4", "-q", "-O", "^has_journal", image], check=True)
        how = ["-o", "loop", image]
    big = daemon.root / "big.qcow2"
    noise = daemon.root / "noise"
    noise.write_bytes(random.Random(7).randbytes(24 * MIB))
    qemu_img("convert", "-f", "raw", "-O", "qcow2", noise, big)
    with mounted(daemon.root / "small", *how) as small:
        daemon.lodge("pool-create-as", "small", "dir", "--target", small)
        daemon.lodge("vol-create-as", "small", "kept", "4M", "--format", "raw", "--allocation", "0")
        daemon.lodge("vol-create-as", "small", "kept.qcow2", "1M", "--format", "qcow2")
        (small / "kept").write_bytes(noise.read_bytes()[:6 * MIB])
        daemon.lodge("vol-create-as", "default", "noise.raw", "24M", "--format", "raw", "--allocation", "0")
        daemon.lodge("vol-upload", "noise.raw", noise, "--pool", "default")
        daemon.lodge("pool-refresh", "small")
        before = content(small)
        noise_xml = daemon.write("noise.xml", volume_xml("n.qcow2", 24 * MIB, "qcow2"))
        copy_xml = daemon.write("copy.xml", volume_xml("n.raw", 24 * MIB))
        for words in (["vol-create-as", "small", "a", "32M", "--allocation", "32M", "--format", "raw"],
                      ["vol-create-from", "small", noise_xml, "noise.raw", "--inputpool", "default"],
                      ["vol-create-from", "small", copy_xml, "noise.raw", "--inputpool", "default"],
                      ["vol-clone", "kept", "c", "--pool", "small"] if system == "tmpfs" else None,
                      ["vol-resize", "kept", "64M", "--pool", "small", "--allocate"],
                      ["vol-resize", "kept.qcow2", "64M", "--pool", "small", "--allocate"],
                      ["image", "import", big, "--pool", "small", "--name", "b"],
                      ["image", "convert", "-f", "qcow2", "-O", "qcow2", big, small / "d.qcow2"],
                      ["image", "convert", "-f", "raw", "-O", "qcow2", noise, small / "e.qcow2"]):
            if not words:
                continue
            answer = daemon.lodge(*words, ok=False)
            assert "No space left" in answer.err and str(small) in answer.err, answer
            assert "left" in answer.err.split("No space left", 1)[1], answer
            if words[0] == "vol-resize":  # the same disk, if perhaps a header that was written again
                qemu_img("check", "-q", small / "kept.qcow2")
                assert "67108864" not in daemon.lodge("vol-info", words[1], "--pool", "small", "--bytes").out
            assert set(os.listdir(small)) - {"lost+found"} == set(before), words
        assert content(small)["kept"] == before["kept"]
        answer = virsh(daemon, "vol-upload", "kept.qcow2", noise, "--pool", "small", ok=False)
        assert "No space left" in answer.stderr and str(small) in answer.stderr
        answer = daemon.lodge("vol-upload", "kept.qcow2", noise, "--pool", "small", ok=False)
        assert "No space left" in answer.err
        daemon.lodge("vol-delete", "kept.qcow2", "--pool", "small")
        daemon.lodge("vol-create-as", "small", "after", "1G", "--format", "qcow2")
        assert content(small)["kept"] == before["kept"]
        daemon.lodge("pool-destroy", "small")


# ---- a daemon that is killed ----

def client(daemon, *words):
    return subprocess.Popen([LODGE, "--root", daemon.root, "--no-start", *map(str, words)], env=daemon.env,
                            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def check_after_kill(daemon, data, n):
    """What was at work when the daemon was killed is there, whole, or not there."""
    images = daemon.root / "images"
    size = len(data)
    left = set(os.listdir(images))
    assert {"source.raw", "up.raw", "wiped.raw", "grown.raw"} <= left, left
    assert left <= {"source.raw", "up.raw", "wiped.raw", "grown.raw", "gone.raw", "copy.raw", "copy.qcow2",
                    "new.qcow2", "new.raw"}, left
    assert (images / "source.raw").read_bytes() == data
    assert (images / "grown.raw").read_bytes()[:MIB] == data[:MIB]
    assert (images / "wiped.raw").stat().st_size == size
    if "gone.raw" in left:
        assert (images / "gone.raw").read_bytes() == data
    if "copy.raw" in left:
        assert (images / "copy.raw").read_bytes() == data
    if "copy.qcow2" in left:
        qemu_img("compare", "-q", "-f", "raw", "-F", "qcow2", images / "source.raw", images / "copy.qcow2")
    if "new.qcow2" in left:
        qemu_img("check", "-q", images / "new.qcow2")
    listed = daemon.lodge("vol-list", "default").out
    assert all(name in listed for name in left) and ".lodge-part" not in listed
    pools = virsh(daemon, "pool-list", "--all", "--name").stdout.split()
    assert "default" in pools and set(pools) <= {"default", f"p{n}"}
    if f"p{n}" in pools:  # defined, and so it can be started
        virsh(daemon, "pool-build", f"p{n}", ok=None)
        virsh(daemon, "pool-start", f"p{n}", ok=None)
        assert "running" in virsh(daemon, "pool-info", f"p{n}").stdout
        virsh(daemon, "pool-destroy", f"p{n}")
        virsh(daemon, "pool-undefine", f"p{n}")


def test_killed_anywhere(daemon):
    """Everything at once, and the daemon is killed in the middle: nothing is left, nothing is lost, and all
    of it can simply be done again."""
    images = daemon.root / "images"
    data = random.Random(4).randbytes(24 * MIB)
    source = daemon.root / "data"
    source.write_bytes(data)
    for n, delay in enumerate((0.02, 0.06, 0.2)):
        for path in images.iterdir():
            path.unlink()
        for name in ("source.raw", "wiped.raw", "gone.raw"):
            shutil.copy(source, images / name)
        for name in ("up.raw", "grown.raw"):
            (images / name).write_bytes(data[:MIB])
        new = daemon.write("copy.xml", volume_xml("copy.qcow2", len(data), "qcow2"))
        work = [client(daemon, *words) for words in (
            ("vol-create-from", "default", new, "source.raw"),
            ("vol-clone", "source.raw", "copy.raw", "--pool", "default"),
            ("vol-upload", "up.raw", source, "--pool", "default"),
            ("vol-wipe", "wiped.raw", "--pool", "default"),
            ("vol-delete", "gone.raw", "--pool", "default"),
            ("vol-resize", "grown.raw", "32M", "--allocate", "--pool", "default"),
            ("vol-create-as", "default", "new.raw", "24M", "--format", "raw"),
            ("vol-create-as", "default", "new.qcow2", "1G", "--format", "qcow2", "--prealloc-metadata"))]
        pool = client(daemon, "pool-create-as" if n % 2 else "pool-define-as", f"p{n}", "dir", "--target",
                      daemon.root / f"p{n}", *(["--build"] if n % 2 else []))
        time.sleep(delay)  # anywhere in it: before, in the middle, after
        daemon.process.send_signal(signal.SIGKILL)
        daemon.process.wait(60)
        for process in (*work, pool):
            process.wait(60)
        daemon.start()
        check_after_kill(daemon, data, n)
    for words in (("vol-upload", "up.raw", source), ("vol-wipe", "wiped.raw"),
                  ("vol-resize", "grown.raw", "64M"),
                  ("vol-clone", "source.raw", "again.raw"), ("vol-delete", "up.raw")):
        daemon.lodge(*words, "--pool", "default")


# ---- names ----

def test_names(daemon):
    """Tricks in names: each is refused for what it is, and nothing is made anywhere."""
    with connection(daemon) as conn:
        pool = add_pool(conn, "p", daemon.root / "p")
        one = pool.createXML(volume_xml("one"))
        before = set(os.listdir(daemon.root))
        part = ".lodge-part-00000000-1-1-0"
        for name in ("../x", "/etc/lodge-x", "a/b", ".", "..", "a&#10;b", "a&#13;b", "x" * 4096, "x" * 256,
                     part, f"{part}/x", "p/../../x"):
            code = (libvirt.VIR_ERR_OPERATION_INVALID if "/" in name or name in (".", "..", part) else
                    libvirt.VIR_ERR_SYSTEM_ERROR if len(name) > 255 else libvirt.VIR_ERR_XML_ERROR)
            for make in (lambda xml: pool.createXML(xml), lambda xml: pool.createXMLFrom(xml, one)):
                refused(lambda: make(volume_xml(name)), code)
            clean = name.replace("&#10;", "\n").replace("&#13;", "\r")
            refused(lambda: pool.storageVolLookupByName(clean), libvirt.VIR_ERR_NO_STORAGE_VOL)
        daemon.lodge("vol-create-as", "p", "../x", "1M", ok=False)
        daemon.lodge("vol-clone", "one", "../x", "--pool", "p", ok=False)
        assert daemon.rest("POST", "/v1/pools/p/volumes/create-as",
                           {"name": "a\0b", "capacity": "1M"}).status == 400
        assert os.listdir(daemon.root / "p") == ["one"] and set(os.listdir(daemon.root)) == before
        for name in ("-rf", "a b", "ü", "'", "%s", "x" * 255, "a,b=c", "$(id)"):
            pool.createXML(volume_xml(name, kind="qcow2"))
            pool.createXMLFrom(volume_xml("copy", kind="raw"), pool.storageVolLookupByName(name)).delete()
            pool.storageVolLookupByName(name).delete()
        assert os.listdir(daemon.root / "p") == ["one"]


def test_two_make_one_name(daemon):
    """Volumes, copies, and both at once: one wins, the others are told so."""
    with connection(daemon) as conn:
        source = conn.storagePoolLookupByName("default").createXML(volume_xml("source", allocation=MIB))
        source_path = source.path()
    outcomes = []

    def make(i):
        with connection(daemon) as conn:
            pool = conn.storagePoolLookupByName("default")
            try:
                if i % 2:
                    pool.createXMLFrom(volume_xml("same"), conn.storageVolLookupByPath(source_path))
                else:
                    pool.createXML(volume_xml("same", kind="qcow2"))
                outcomes.append(0)
            except libvirt.libvirtError as error:
                outcomes.append(error.get_error_code())

    threads = [threading.Thread(target=make, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == [0] + [libvirt.VIR_ERR_STORAGE_VOL_EXIST] * 7
    assert sorted(os.listdir(daemon.root / "images")) == ["same", "source"]


# ---- headers that lie ----

def qcow2(version=3, size=MIB, backing=b"", bits=16, l1=1, l1_at=3 << 16, table_at=1 << 16, tables=1,
          extensions=b"", features=0, snapshots=0, snapshots_at=0):
    """The header of a qcow2 (QEMU's docs/interop/qcow2), whatever it says."""
    at = 104 + len(extensions) + 8 if backing else 0
    head = struct.pack(">IIQIIQIIQQIIQQQQII", 0x514649FB, version, at, len(backing), bits, size, 0, l1, l1_at,
                       table_at, tables, snapshots, snapshots_at, features, 0, 0, 4, 104)
    return (head + extensions + bytes(8) + backing).ljust(4 << 16, b"\0")


def data_file(name):
    return struct.pack(">II", 0x44415441, len(name)) + name.ljust(-len(name) % 8 + len(name), b"\0")


SECRET = "LODGE-TEST-SECRET-CONTENT"


def evil_images(secret):
    """name -> (content, whether the header leads outside)."""
    path = str(secret).encode()
    return {
        "shadow.qcow2": qcow2(backing=path),
        "shadow-raw.qcow2": qcow2(backing=path, extensions=struct.pack(">II8s", 0xE2792ACA, 3, b"raw")),
        "json.qcow2": qcow2(backing=b'json:{"driver":"raw","file":{"driver":"file","filename":"' + path +
                            b'"}}'),
        "json-file.qcow2": qcow2(backing=b'json:{"file.filename":"' + path + b'"}'),
        "file.qcow2": qcow2(backing=b"file:" + path),
        "nbd.qcow2": qcow2(backing=b"nbd:unix:" + path),
        "nbd-tcp.qcow2": qcow2(backing=b"nbd://127.0.0.1:9/x"),
        "http.qcow2": qcow2(backing=b"http://127.0.0.1:9/x"),
        "ssh.qcow2": qcow2(backing=b"ssh://root@127.0.0.1/etc/shadow"),
        "fat.qcow2": qcow2(backing=b"fat:rw:/etc"),
        "dots.qcow2": qcow2(backing=b"../" * 30 + path[1:]),
        "data.qcow2": qcow2(features=4, extensions=data_file(path)),
    }


def ask_everything(daemon, image):
    """Every verb about the uploaded @image, and a guest that has it as a disk."""
    name, copy = image.name, daemon.write("copy.xml", volume_xml("stolen", MIB, "qcow2"))
    for words in (("vol-create-from", "default", copy, name), ("vol-info", name, "--pool", "default"),
                  ("vol-resize", name, "2M", "--pool", "default"),
                  ("vol-clone", name, "clone", "--pool", "default"), ("image", "info", image),
                  ("image", "info", "--backing-chain", image), ("image", "map", image),
                  ("image", "check", image), ("image", "resize", image, "2M"), ("image", "commit", image),
                  ("image", "compare", image, daemon.root / "plain.qcow2"),
                  ("image", "measure", "-O", "raw", image)):
        answer = daemon.lodge(*words, ok=None)
        assert SECRET not in answer.out + answer.err, answer
    assert not (image.parent / "stolen").exists() and not (image.parent / "clone").exists()
    disk = (f"<disk type='file' device='disk'><driver name='qemu' type='qcow2'/>"
            f"<source file='{image}'/><target dev='vda' bus='virtio'/></disk>")
    daemon.define("web1", devices=disk, boot=False)
    answer = daemon.lodge("start", "web1", ok=False)
    assert name in answer.err and SECRET not in answer.err, answer


def test_headers_that_lead_elsewhere(daemon):
    """What an upload names as its backing or data file is never opened: not shown, not copied, not written,
    not given to a guest, whatever verb asks."""
    secret, images = daemon.root / "secret", daemon.root / "images"
    secret.write_text(SECRET * 1000)
    qemu_img("create", "-q", "-f", "qcow2", daemon.root / "plain.qcow2", "1M")
    evil = evil_images(secret)
    for name, bytes_ in evil.items():
        (images / name).write_bytes(bytes_)
    with connection(daemon) as conn:
        pool = conn.storagePoolLookupByName("default")
        pool.refresh()
        for name in evil:
            volume = pool.storageVolLookupByName(name)
            for format in ("raw", "qcow2"):
                with pytest.raises(libvirt.libvirtError) as refusal:
                    pool.createXMLFrom(volume_xml("stolen", MIB, format), volume)
                assert name in str(refusal.value)
            volume.info(), volume.XMLDesc()
            answer = daemon.lodge("image", "convert", "-O", "raw", images / name, images / "stolen", ok=False)
            assert name in answer.err and not (images / "stolen").exists(), answer
    for name in ("shadow-raw.qcow2", "json.qcow2", "data.qcow2"):
        ask_everything(daemon, images / name)
    assert secret.read_text() == SECRET * 1000


def test_headers_that_lie(daemon):
    """Sizes that cannot be, tables without end, chains that come back, files cut short."""
    images = daemon.root / "images"
    loop = str(images / "loop.qcow2").encode()
    other = str(images / "other.qcow2").encode()
    lies = {"huge.qcow2": qcow2(size=1 << 63), "table.qcow2": qcow2(tables=0xFFFFFFFF),
            "l1.qcow2": qcow2(l1=0xFFFFFFFF), "bits.qcow2": qcow2(bits=63), "zero.qcow2": qcow2(bits=0),
            "snaps.qcow2": qcow2(snapshots=0xFFFFFFFF, snapshots_at=1 << 62),
            "far.qcow2": qcow2(l1_at=1 << 62, table_at=1 << 62), "empty.qcow2": b"",
            "loop.qcow2": qcow2(backing=loop), "back.qcow2": qcow2(backing=other),
            "other.qcow2": qcow2(backing=str(images / "back.qcow2").encode()),
            "future.qcow2": qcow2(version=9),
            "unknown.qcow2": qcow2(features=1 << 40), "short.qcow2": qcow2()[:60], "magic.qcow2": qcow2()[:4]}
    for name, bytes_ in lies.items():
        (images / name).write_bytes(bytes_)
    with connection(daemon) as conn:
        pool = conn.storagePoolLookupByName("default")
        pool.refresh()
        assert set(pool.listVolumes()) == set(lies)
        for name in lies:
            volume = pool.storageVolLookupByName(name)
            volume.info(), volume.XMLDesc()
            with contextlib.suppress(libvirt.libvirtError):
                pool.createXMLFrom(volume_xml("copy", 2 * MIB, "raw"), volume).delete()
            with contextlib.suppress(libvirt.libvirtError):
                volume.resize(8 * MIB)
            assert "copy" not in os.listdir(images)
            daemon.lodge("image", "check", images / name, ok=None)
        for name in ("loop.qcow2", "back.qcow2"):
            assert "loop" in daemon.lodge("image", "info", "--backing-chain", images / name, ok=False).err
        (images / "not.raw").write_bytes(b"QFI\xfb" + bytes(MIB))
        disk = (f"<disk type='file' device='disk'><driver name='qemu' type='qcow2'/>"
                f"<source file='{images}/not.raw'/><target dev='vda' bus='virtio'/></disk>")
        daemon.define("web1", devices=disk, boot=False)
        answer = daemon.lodge("start", "web1", ok=False)
        assert "not.raw" in answer.err and "qcow2" in answer.err


# ---- folders that go ----

def test_folder_goes_and_comes_back(daemon):
    """Away, replaced by another, without permission, by a file, and back: the pool says so, and goes on."""
    folder, away = daemon.root / "p", daemon.root / "away"
    with connection(daemon) as conn:
        pool = add_pool(conn, "p", folder)
        pool.createXML(volume_xml("a"))
        os.rename(folder, away)
        assert str(folder) in refused(lambda: pool.refresh(), libvirt.VIR_ERR_SYSTEM_ERROR)
        assert str(folder) in refused(lambda: pool.createXML(volume_xml("b")), libvirt.VIR_ERR_SYSTEM_ERROR)
        assert pool.isActive() and not folder.exists()
        folder.write_text("a file")
        assert str(folder) in refused(lambda: pool.refresh(), libvirt.VIR_ERR_SYSTEM_ERROR)
        folder.unlink()
        folder.mkdir()
        (folder / "c").write_bytes(bytes(4096))
        pool.refresh()
        assert pool.listVolumes() == ["c"]
        shutil.rmtree(folder)
        os.rename(away, folder)
        pool.refresh()
        assert pool.listVolumes() == ["a"]
        (folder / "d").write_bytes(b"")  # it is watched again
        wait_until(lambda: set(pool.listVolumes()) == {"a", "d"}, 60, "the new file is a volume")
        os.rename(folder, away)
        daemon.restart()
    listed = virsh(daemon, "pool-list", "--all").stdout
    assert "p " not in listed or "inactive" in listed  # transient: it went with its folder
    os.rename(away, folder)
    with connection(daemon) as conn:
        assert set(add_pool(conn, "p", folder).listVolumes()) == {"a", "d"}


@ROOT_ONLY
def test_mounted_away(daemon):
    """A file system that is mounted over the folder, and taken away again."""
    folder = daemon.root / "p"
    with connection(daemon) as conn:
        pool = add_pool(conn, "p", folder)
        pool.createXML(volume_xml("below"))
        pool.refresh()
        with mounted(folder, "-t", "tmpfs", "-o", "size=4m", "none"):
            pool.refresh()
            assert pool.listVolumes() == []
            (folder / "above").write_bytes(b"")
            wait_until(lambda: pool.listVolumes() == ["above"], 60, "what is mounted is watched")
        pool.refresh()
        assert pool.listVolumes() == ["below"]


def test_deep_folder(daemon, request):
    """A pool below 10,000 folders: no path leads there, and nothing is deleted on the way."""
    top = daemon.root / "deep"
    top.mkdir()
    request.addfinalizer(lambda: subprocess.run(["rm", "-rf", top], check=True))
    here = os.open(top, os.O_RDONLY)
    for _ in range(10000):
        os.mkdir("d", dir_fd=here)
        below = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)
    with connection(daemon) as conn:
        pool = add_pool(conn, "deep", top)
        assert pool.listVolumes() == ["d"]
        assert "Directory not empty" in refused(pool.storageVolLookupByName("d").delete,
                                                libvirt.VIR_ERR_SYSTEM_ERROR)
        path = str(top) + "/d" * 10000
        refused(lambda: conn.storagePoolCreateXML(pool_xml("long", path)), libvirt.VIR_ERR_XML_ERROR)
        assert pool.isActive()
        pool.destroy()


def test_many_files(daemon):
    """20,000 files in a folder, watched; what changes is known without reading them all again."""
    folder = daemon.root / "many"
    folder.mkdir()
    for i in range(20000):  # more than libvirt's lists hold
        os.mknod(folder / f"v{i:05}", 0o600)
    with connection(daemon) as conn:
        pool = conn.storagePoolCreateXML(pool_xml("many", folder))
        assert pool.numOfVolumes() == 20000
        pool.createXML(volume_xml("new"))
        (folder / "other").write_bytes(b"x" * 512)
        pool.refresh()
        assert pool.numOfVolumes() == 20002
        assert pool.storageVolLookupByName("other").info()[1] == 512
    assert daemon.lodge("vol-list", "many").out.count("\n") >= 20002


# ---- servers that hang ----

def hang(conn, name):
    """A call that ends when the server does."""
    try:
        conn.storagePoolLookupByName("hung").createXML(volume_xml(name))
    except libvirt.libvirtError:
        pass


@ROOT_ONLY
def test_hung_server_stalls_its_own_pool(daemon):
    """However many ask for what is on a server that does not answer any more: all else goes on at once, and
    the pool itself does once the server is back or gone."""
    folder = daemon.root / "hung"
    folder.mkdir()
    script = pathlib.Path(__file__).with_name("hangfs.py")
    server = subprocess.Popen([sys.executable, script, folder], stdout=subprocess.PIPE)
    askers, callers, opened = [], [], contextlib.ExitStack()
    try:
        if server.stdout.readline() != b"ready\n":
            pytest.skip("no FUSE here")
        daemon.lodge("pool-create-as", "hung", "dir", "--target", folder)
        daemon.lodge("vol-create-as", "default", "a", "1M")
        server.send_signal(signal.SIGUSR1)
        xml = daemon.write("v.xml", volume_xml("v"))
        for words in (("pool-refresh", "hung"), ("vol-create", "hung", xml),
                      ("vol-list", "hung", "--details"),
                      ("vol-create-as", "hung", "x", "1M"), ("vol-clone", "a", "b", "--pool", "hung")):
            askers += [client(daemon, *words) for _ in range(2)]
        connections = [opened.enter_context(connection(daemon)) for _ in range(6)]
        callers = [threading.Thread(target=hang, args=(connections[i % 6], f"n{i}")) for i in range(330)]
        for caller in callers:
            caller.start()
        for _ in range(2):
            daemon.lodge("vol-create-as", "default", "b", "1M")
            daemon.lodge("vol-list", "default", "--details")
            daemon.lodge("pool-refresh", "default")
            daemon.lodge("vol-clone", "b", "c", "--pool", "default")
            daemon.lodge("vol-delete", "c", "--pool", "default")
            daemon.lodge("vol-delete", "b", "--pool", "default")
            assert "hung" in virsh(daemon, "pool-list").stdout
            assert "running" in virsh(daemon, "pool-info", "hung").stdout
            virsh(daemon, "vol-list", "hung")
        daemon.define("web1", boot=False)
        daemon.lodge("start", "web1")
        daemon.lodge("destroy", "web1")
    finally:
        server.kill()
        server.wait()
        for asker in askers:
            asker.wait(60)
        for caller in callers:
            caller.join(120)
        opened.close()
        subprocess.run(["umount", "-l", folder], stderr=subprocess.DEVNULL)
    daemon.lodge("pool-destroy", "hung")


# ---- file systems that share ----

@ROOT_ONLY
@pytest.mark.skipif(not shutil.which("mkfs.xfs"), reason="needs xfsprogs")
def test_copies_share(daemon):
    """Where the file system can, a copy takes no room, asked for or not; one that is asked for and cannot be
    had is refused, and nothing is left of it."""
    image = daemon.root / "disk"
    image.write_bytes(b"")
    os.truncate(image, 512 * MIB)
    subprocess.run(["mkfs.xfs", "-q", "-m", "reflink=1", image], check=True)
    with mounted(daemon.root / "shares", "-o", "loop", image) as folder, connection(daemon) as conn:
        pool = add_pool(conn, "shares", folder)
        noise = random.Random(5).randbytes(64 * MIB)
        (folder / "source").write_bytes(noise)
        os.sync()
        pool.refresh()
        before = os.statvfs(folder).f_bfree * os.statvfs(folder).f_frsize
        source = pool.storageVolLookupByName("source")
        for i in range(6):  # together more than there is room for
            pool.createXMLFrom(volume_xml(f"copy{i}", 64 * MIB), source,
                               libvirt.VIR_STORAGE_VOL_CREATE_REFLINK if i % 2 else 0)
        assert before - os.statvfs(folder).f_bfree * os.statvfs(folder).f_frsize < 32 * MIB
        assert all((folder / f"copy{i}").read_bytes() == noise for i in (0, 1))
        other = conn.storagePoolLookupByName("default")
        refused(lambda: other.createXMLFrom(volume_xml("copy", 64 * MIB), source,
                                            libvirt.VIR_STORAGE_VOL_CREATE_REFLINK),
                libvirt.VIR_ERR_SYSTEM_ERROR)
        assert os.listdir(daemon.root / "images") == []
        pool.destroy()
