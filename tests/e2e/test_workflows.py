"""What administrators type (lifecycle, storage, networks), through stock virsh, through `lodge` and through
`lodge` under the name virsh: the same lines, the same patterns. {root} is a folder of the test."""
import os
import re
import shutil
import subprocess

import pytest

from lodgetest import LODGE, xml_for
from virttest import uri

DISK = ("<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='{}'/>"
        "<target dev='vda' bus='virtio'/></disk><graphics type='vnc'/>")

# (line, pattern of what it prints, exit code); a code of 1 stands for any failure. Lines that begin with
# "virsh" belong to both forms of virsh only.
RUN = [
    ("define {root}/vm1.xml", "Domain 'vm1' defined from", 0),
    ("list", "Id +Name +State", 0),
    ("list --all", "- +vm1 +shut off", 0),
    ("start vm1", "Domain 'vm1' started", 0),
    ("start vm1", "already (active|running)", 1),
    ("list", "1 +vm1 +running", 0),
    ("dominfo vm1", "(?s)Name: +vm1.*State: +running.*Max memory: +131072 KiB.*Autostart: +disable", 0),
    ("domstate vm1", "running", 0),
    ("domid vm1", "1", 0),
    ("dumpxml vm1", "<domain type='qemu' id='1'>", 0),
    ("dumpxml --inactive --domain vm1", "<domain type='qemu'>", 0),
    ("vncdisplay vm1", "127.0.0.1:[0-9]+", 0),
    ("suspend vm1", "Domain 'vm1' suspended", 0),
    ("domstate vm1 --reason", r"paused \(user\)", 0),
    ("resume vm1", "Domain 'vm1' resumed", 0),
    ("reset vm1", "Domain 'vm1' was reset", 0),
    ("reboot vm1", "Domain 'vm1' is being rebooted", 0),
    ("shutdown vm1", "Domain 'vm1' is being shutdown", 0),
    ("autostart vm1", "Domain 'vm1' marked as autostarted", 0),
    ("autostart --disable vm1", "Domain 'vm1' unmarked as autostarted", 0),
    ("domblklist vm1", "vda +{root}/vm1.img", 0),
    ("save vm1 {root}/vm1.save", "Domain 'vm1' saved to {root}/vm1.save", 0),
    ("restore {root}/vm1.save", "Domain restored from {root}/vm1.save", 0),
    ("managedsave vm1", "Domain 'vm1' state saved by (libvirt|lodge)", 0),
    ("domstate vm1", "shut off", 0),
    ("start vm1", "Domain 'vm1' started", 0),
    ("undefine vm1", "Domain 'vm1' has been undefined", 0),
    ("dominfo vm1", "Persistent: +no", 0),
    ("destroy vm1", "Domain 'vm1' destroyed", 0),
    ("dominfo vm1", "failed to get domain 'vm1'|no guest", 1),
    ("create {root}/vm1.xml", "Domain 'vm1' created from", 0),
    ("undefine vm1", "transient", 1),
    ("destroy vm1", "Domain 'vm1' destroyed", 0),
    ("virsh list --all; domid nope", "failed to get domain 'nope'", 1),
    ("virsh bogus", "unknown command: 'bogus'", 1),
]
POOLS = [
    ("pool-define-as vmdisk --type dir --target {root}/vmfs", "Pool vmdisk defined", 0),
    ("pool-build vmdisk", "Pool vmdisk built", 0),
    ("pool-list --all", "vmdisk +inactive +no", 0),
    ("pool-start vmdisk", "Pool vmdisk started", 0),
    ("pool-autostart vmdisk", "Pool vmdisk marked as autostarted", 0),
    ("pool-info vmdisk", "(?s)Name: +vmdisk.*State: +running.*Autostart: +yes.*Capacity: +[0-9.]+ ", 0),
    ("vol-create-as vmdisk oeltest03.qcow2 20G --format qcow2", "Vol oeltest03.qcow2 created", 0),
    ("vol-list vmdisk", "oeltest03.qcow2 +{root}/vmfs/oeltest03.qcow2", 0),
    ("vol-list vmdisk --details", "oeltest03.qcow2 +{root}/vmfs/oeltest03.qcow2 +file +20.00 GiB +[0-9.]+ KiB", 0),
    ("vol-path --pool vmdisk oeltest03.qcow2", "{root}/vmfs/oeltest03.qcow2", 0),
    ("vol-info oeltest03.qcow2 --pool vmdisk", "Capacity: +20.00 GiB", 0),
    ("pool-refresh vmdisk", "Pool vmdisk refreshed", 0),
    ("vol-delete --pool vmdisk oeltest03.qcow2", "Vol oeltest03.qcow2 deleted", 0),
    ("pool-destroy vmdisk", "Pool vmdisk destroyed", 0),
    ("pool-delete vmdisk", "Pool vmdisk deleted", 0),
    ("pool-undefine vmdisk", "Pool vmdisk has been undefined", 0),
    ("pool-define-as old dir - - - - {root}/old", "Pool old defined", 0),
    ("pool-dumpxml old", "<path>{root}/old</path>", 0),
    ("pool-info nope", "failed to get pool 'nope'|no (storage )?pool", 1),
]
NETWORKS = [
    ("net-define {root}/net.xml", "Network lab defined from", 0),
    ("net-list --all", "lab +inactive +no +yes", 0),
    ("net-autostart lab", "Network lab marked as autostarted", 0),
    ("net-dumpxml lab", "<name>lab</name>", 0),
    ("net-info lab", "(?s)Name: +lab.*Active: +no.*Persistent: +yes.*Autostart: +yes.*Bridge: +lodgelab0", 0),
    ("net-uuid lab", "[0-9a-f-]{{36}}", 0),
    ("net-destroy lab", "not active", 1),
    ("net-undefine lab", "Network lab has been undefined", 0),
    ("net-info lab", "failed to get network 'lab'|no network", 1),
]
NETWORK = ("<network><name>lab</name><bridge name='lodgelab0'/><ip address='10.77.3.1' netmask='255.255.255.0'>"
           "<dhcp><range start='10.77.3.10' end='10.77.3.20'/></dhcp></ip></network>")
FORMS = ["virsh", "lodge", "link"]


def command(daemon, form, line):
    """The words that run @line; None where it does not belong to @form."""
    words = line.split(" ")
    only_virsh = words[0] == "virsh"
    if form == "lodge":
        return None if only_virsh else [LODGE, "--root", daemon.root, *words]
    program = "virsh"
    if form == "link":
        program = daemon.root / "virsh"
        if not program.exists():
            program.symlink_to(LODGE)
    return [program, "-c", uri(daemon), *([" ".join(words[1:])] if only_virsh else words)]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("lines", [RUN, POOLS, NETWORKS], ids=["run", "pools", "networks"])
def test_lines(daemon, form, lines):
    if form == "virsh" and not shutil.which("virsh"):
        pytest.skip("virsh is not installed")
    (daemon.root / "vm1.img").write_bytes(bytes(1 << 20))
    daemon.write("vm1.xml", xml_for("vm1", boot=False, devices=DISK.format(daemon.root / "vm1.img")))
    daemon.write("net.xml", NETWORK)
    wrong = []
    for line, pattern, code in lines:
        words = command(daemon, form, line.format(root=daemon.root))
        if not words:
            continue
        done = subprocess.run(list(map(os.fspath, words)), text=True, env=daemon.env, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60)
        if (done.returncode == 0) != (code == 0) or not re.search(pattern.format(root=daemon.root), done.stdout):
            wrong.append(f"{line}: exit {done.returncode}\n{done.stdout}")
    assert not wrong, "\n".join(wrong)
