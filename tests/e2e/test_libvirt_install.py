"""virt-install and virt-xml against Lodge: what needs neither networks nor pools of the host."""
import shutil
import subprocess

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
               f"kernel={files}/vmlinuz,initrd={files}/initramfs,kernel_args='console=ttyS0 quiet'", *more)


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
