"""virt-install, virt-xml and virt-clone against Lodge, without networks of the host."""
import contextlib
import functools
import http.server
import shutil
import subprocess
import threading
from xml.etree import ElementTree

import pytest

from lodgetest import READY, guest_files
from virttest import uri, virsh

pytestmark = pytest.mark.skipif(not shutil.which("virt-install"), reason="virt-install is not installed")


def run(daemon, *words):
    done = subprocess.run([*words[:1], "--connect", uri(daemon), *words[1:]], text=True, timeout=120,
                          env={**daemon.env, "HOME": str(daemon.root)}, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert done.returncode == 0, done.stdout
    return done.stdout


def install(daemon, *more):
    files = guest_files()
    return run(daemon, "virt-install", "--name", "web1", "--virt-type", "qemu", "--memory", "128",
               "--vcpus", "1", "--import", "--disk", "none", "--network", "user", "--graphics", "none",
               "--osinfo", "detect=off,require=off", "--noautoconsole", "--boot",
               f"kernel={files}/vmlinuz,initrd={files}/initramfs,kernel_args='console=ttyS0 quiet no_timer_check'", *more)


def test_install_boots(daemon):
    install(daemon)
    assert virsh(daemon, "domstate", "web1").stdout.strip() == "running"
    daemon.console("web1").expect(READY)
    virsh(daemon, "destroy", "web1")


def test_print_xml_then_edit(daemon):
    xml = install(daemon, "--print-xml")
    virsh(daemon, "define", daemon.write("printed.xml", xml[xml.index("<domain"):]))
    run(daemon, "virt-xml", "web1", "--edit", "--memory", "256")
    run(daemon, "virt-xml", "web1", "--edit", "--metadata", "title=Shop")
    info = virsh(daemon, "dominfo", "web1").stdout
    assert "Max memory:     262144 KiB" in info
    assert "Shop" in virsh(daemon, "list", "--all", "--title").stdout


@contextlib.contextmanager
def tree(folder):
    """An installation tree at a web server of its own; yields its address."""
    folder.mkdir()
    for name in ("vmlinuz", "initramfs"):
        shutil.copy(guest_files() / name, folder)
    (folder / ".treeinfo").write_text("[general]\nname=Test\nfamily=Fedora\nversion=20\narch=x86_64\n\n"
                                      "[images-x86_64]\nkernel=vmlinuz\ninitrd=initramfs\n")
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=folder)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


def make(daemon, name, *more):
    return run(daemon, "virt-install", "--name", name, "--virt-type", "qemu", "--memory", "128", "--graphics", "none",
               "--osinfo", "detect=off,require=off", "--noautoconsole", *more)


def devices(daemon, name, path, *options):
    xml = virsh(daemon, "dumpxml", name, *options).stdout
    return ElementTree.fromstring(xml).findall(f"devices/{path}")


def test_install_from_a_tree(daemon):
    with tree(daemon.root / "tree") as address:
        make(daemon, "web1", "--location", address, "--extra-args", "console=ttyS0 quiet no_timer_check", "--disk", "none",
             "--network", "user")
    daemon.console("web1").expect(READY)
    live = ElementTree.fromstring(virsh(daemon, "dumpxml", "web1").stdout)
    assert live.findtext("os/cmdline").startswith("console=ttyS0 quiet")
    virsh(daemon, "destroy", "web1")
    stored = ElementTree.fromstring(virsh(daemon, "dumpxml", "web1", "--inactive").stdout)
    assert stored.find("os/kernel") is None  # the installed system boots by itself


def test_disks_media_and_short_lives(daemon):
    pool = daemon.root / "pool"
    pool.mkdir()
    (daemon.root / "a.iso").write_bytes(bytes(1 << 20))
    make(daemon, "web1", "--import", "--disk", f"{pool}/web1.qcow2,size=1", "--network", "none")
    make(daemon, "web2", "--import", "--disk", "size=1,pool=pool,bus=virtio", "--network", "none")
    make(daemon, "web3", "--cdrom", daemon.root / "a.iso", "--disk", "none", "--network", "user")
    make(daemon, "web4", "--import", "--disk", "none", "--network", "none", "--transient")
    assert virsh(daemon, "domblklist", "web1").stdout.split()[-1] == f"{pool}/web1.qcow2"
    assert sorted(virsh(daemon, "vol-list", "pool").stdout.split()[4::2]) == [f"{pool}/web1.qcow2",
                                                                             f"{pool}/web2.qcow2"]
    assert devices(daemon, "web3", "disk/[@device='cdrom']/source")[0].get("file") == f"{daemon.root}/a.iso"
    assert "Persistent:     no" in virsh(daemon, "dominfo", "web4").stdout


def test_clone(daemon):
    pool = daemon.root / "pool"
    pool.mkdir()
    make(daemon, "vm1", "--import", "--disk", f"{pool}/vm1.qcow2,size=1", "--network", "user")
    running = subprocess.run(["virt-clone", "--connect", uri(daemon), "-o", "vm1", "--auto-clone"], text=True,
                             env={**daemon.env, "HOME": str(daemon.root)}, stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, timeout=120)
    assert running.returncode == 1 and "must be shutoff" in running.stdout
    virsh(daemon, "destroy", "vm1")
    run(daemon, "virt-clone", "-o", "vm1", "--auto-clone")
    run(daemon, "virt-clone", "-o", "vm1", "-n", "vm2", "--auto-clone")
    run(daemon, "virt-clone", "-o", "vm1", "-n", "vm3", "-f", pool / "vm3.img")
    names = virsh(daemon, "list", "--all", "--name").stdout.split()
    assert names == ["vm1", "vm1-clone", "vm2", "vm3"]
    macs = {devices(daemon, name, "interface/mac")[0].get("address") for name in names}
    uuids = {virsh(daemon, "domuuid", name).stdout for name in names}
    images = {devices(daemon, name, "disk/source")[0].get("file") for name in names}
    assert len(macs) == len(uuids) == len(images) == 4 and f"{pool}/vm3.img" in images
    virsh(daemon, "start", "vm3")


def test_edits(daemon):
    install(daemon)
    (daemon.root / "b.img").write_bytes(bytes(1 << 20))
    for words in (["--edit", "--vcpus", "2"], ["--edit", "--cpu", "qemu64"], ["--edit", "--boot", "menu=on"],
                  ["--add-device", "--disk", f"{daemon.root}/b.img,bus=virtio", "--define"],
                  ["--add-device", "--graphics", "vnc"], ["--edit", "--events", "on_reboot=destroy"]):
        run(daemon, "virt-xml", "web1", *words)
    stored = ElementTree.fromstring(virsh(daemon, "dumpxml", "web1", "--inactive").stdout)
    assert stored.findtext("vcpu") == "2" and stored.findtext("cpu/model") == "qemu64"
    assert stored.find("os/bootmenu").get("enable") == "yes" and stored.findtext("on_reboot") == "destroy"
    assert stored.find("devices/disk/source").get("file") == f"{daemon.root}/b.img"
    assert stored.find("devices/graphics").get("type") == "vnc"
    run(daemon, "virt-xml", "web1", "--remove-device", "--disk", "target=vda")
    assert not devices(daemon, "web1", "disk", "--inactive")
    virsh(daemon, "destroy", "web1")


@pytest.mark.parametrize("how", ["files", "words"])
@pytest.mark.skipif(not shutil.which("xorriso"), reason="xorriso is not installed")
def test_cloud_init(daemon, tmp_path, how):
    """virt-install makes the CD; the guest has it in its first boot only."""
    key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ0d0b3u1c0cX5q1bqv5m3V9Q0X5k1o3u7d8e9f0a1b2 me@here"
    for name, text in (("user", "#cloud-config\npackages: [htop]\n"), ("meta", "instance-id: i-1\n"),
                       ("net", "version: 2\n"), ("key", key + "\n"), ("password", "let me in\n")):
        (tmp_path / name).write_text(text)
    words = {"files": f"user-data={tmp_path}/user,meta-data={tmp_path}/meta,network-config={tmp_path}/net,disable=on",
             "words": f"ssh-key={tmp_path}/key,clouduser-ssh-key={tmp_path}/key,"
                      f"root-password-file={tmp_path}/password,disable=on"}[how]
    install(daemon, "--cloud-init", words, "--machine", "pc")  # the test guest knows IDE, not SATA
    console = daemon.console("web1")
    console.expect(READY)
    said = console.run("mount -t iso9660 /dev/sr0 /mnt; cat /mnt/user-data; cat /mnt/meta-data /mnt/network-config")
    if how == "files":
        assert "packages: [htop]" in said and "instance-id: i-1" in said and "version: 2" in said
    else:
        assert key in said and "disable" in said
    virsh(daemon, "destroy", "web1")
    inactive = ElementTree.fromstring(virsh(daemon, "dumpxml", "--inactive", "web1").stdout)
    assert not [disk for disk in inactive.iter("disk") if disk.find("source") is not None]
