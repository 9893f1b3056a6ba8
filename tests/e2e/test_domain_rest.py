"""Verbs of guests that few need: events that the kernel counts, single CPUs, descriptors for disks, encrypted
guests; as virsh, python3-libvirt and the command see them."""
import contextlib
import os
import pathlib
import re
import subprocess

import pytest

from lodgetest import LODGE, wait_until, xml_for

UUID = "11111111-2222-3333-4444-77777777bbbb"


def virsh(daemon, *words, ok=True, **options):
    done = subprocess.run(["virsh", "-c", f"qemu:///system?socket={daemon.root}/run/libvirt-sock", *words],
                          text=True, capture_output=True, timeout=60, **options)
    assert (done.returncode == 0) == ok, done
    return done.stdout + done.stderr


@pytest.fixture
def connection(daemon):
    libvirt = pytest.importorskip("libvirt")
    libvirt.registerErrorHandler(lambda *_: None, None)
    daemon.connection = libvirt.open(f"qemu:///system?socket={daemon.root}/run/libvirt-sock")
    yield daemon.connection
    with contextlib.suppress(libvirt.libvirtError):  # closed already
        daemon.connection.close()


def counted(daemon):
    return {line.split("=")[0].strip(): int(line.split("=")[1])
            for line in virsh(daemon, "domstats", "--perf", "p1").splitlines() if "perf." in line}


def test_perf(daemon):
    daemon.define("p1", boot=False, memory=64)
    listed = virsh(daemon, "perf", "p1").split("\n")
    assert listed[0] == "cmt            : disabled" and len([line for line in listed if line]) == 22
    assert virsh(daemon, "perf", "p1", "--enable", "page_faults,cmt", "--disable", "cpu_clock").split() == [
        "page_faults", ":", "enabled", "cmt", ":", "enabled", "cpu_clock", ":", "disabled"]
    assert "<event name='cmt' enabled='yes'/>" in daemon.lodge("dumpxml", "p1").out
    assert "parameter 'nonsense' not supported" in virsh(daemon, "perf", "p1", "--enable", "nonsense", ok=False)
    # what the host has not is named at the start, and counted of nothing
    failed = daemon.lodge("start", "p1", ok=None)
    if failed.code:
        assert "unable to enable host cpu perf event for cmt" in failed.err
    daemon.lodge("perf", "p1", "--config", "--disable", "cmt")
    if "unable to open host cpu perf event for page_faults" in daemon.lodge("start", "p1", ok=None).err:
        pytest.skip("this host lets nobody count events")
    assert list(counted(daemon)) == ["perf.page_faults"]
    wait_until(lambda: counted(daemon)["perf.page_faults"] > 0, 60, "the guest's QEMU has page faults")
    virsh(daemon, "perf", "p1", "--live", "--enable", "task_clock")
    before = counted(daemon)["perf.task_clock"]
    wait_until(lambda: counted(daemon)["perf.task_clock"] > before, 60, "the clock of the guest's QEMU runs")
    if failed.code:
        assert "mbml" in virsh(daemon, "perf", "p1", "--enable", "cpu_clock,mbml", ok=False)
    assert "perf.cpu_clock" not in counted(daemon)  # with one of them refused, none
    daemon.restart()
    wait_until(lambda: set(counted(daemon)) == {"perf.page_faults", "perf.task_clock"}, 60, "they are counted on")
    virsh(daemon, "perf", "p1", "--disable", "page_faults,task_clock")
    assert not counted(daemon)
    assert "<event name='page_faults' enabled='yes'/>" in daemon.lodge("dumpxml", "p1", "--inactive").out


def test_setvcpu(daemon, connection):
    daemon.define("p1", boot=False, memory=64, vcpus=4)
    assert "followed by non-hotpluggable online vcpus" in virsh(
        daemon, "setvcpu", "p1", "1,3", "--disable", "--config", ok=False)
    virsh(daemon, "setvcpu", "p1", "2-3", "--disable", "--config")
    xml = daemon.lodge("dumpxml", "p1").out
    assert "current='2'>4</vcpu>" in xml and "<vcpu id='3' enabled='no' hotpluggable='yes'/>" in xml
    virsh(daemon, "setvcpu", "p1", "3", "--enable", "--config")
    daemon.lodge("start", "p1")
    cpus = daemon.lodge("qemu-monitor-command", "p1", '{"execute": "query-cpus-fast"}').json["return"]
    assert sorted(cpu["props"]["socket-id"] for cpu in cpus) == [0, 1, 3]
    assert "vCPU '0' can't be modified" in virsh(daemon, "setvcpu", "p1", "0", "--disable", "--config", ok=False)
    assert "vcpu 9 is not present in persistent config" in virsh(
        daemon, "setvcpu", "p1", "9", "--disable", "--config", ok=False)
    assert "not plugged while it runs" in virsh(daemon, "setvcpu", "p1", "1", "--enable", "--live", ok=False)
    assert virsh(daemon, "vcpucount", "p1", "--current", "--config").split()[0] == "3"
    # what was plugged is there after a save, too
    daemon.lodge("managedsave", "p1")
    daemon.lodge("start", "p1")
    cpus = daemon.lodge("qemu-monitor-command", "p1", '{"execute": "query-cpus-fast"}').json["return"]
    assert sorted(cpu["props"]["socket-id"] for cpu in cpus) == [0, 1, 3]
    # counts change single CPUs
    enabled = lambda: re.findall(r"<vcpu id='(\d)' enabled='yes'", daemon.lodge("dumpxml", "p1", "--inactive").out)
    virsh(daemon, "setvcpus", "p1", "4", "--config")
    assert enabled() == ["0", "1", "2", "3"]
    virsh(daemon, "setvcpus", "p1", "2", "--config")
    assert enabled() == ["0", "1"] and "current='2'>4<" in daemon.lodge("dumpxml", "p1", "--inactive").out
    virsh(daemon, "setvcpus", "p1", "6", "--maximum", "--config")
    assert enabled() == ["0", "1"] and "<vcpu id='5' enabled='no'" in daemon.lodge("dumpxml", "p1", "--inactive").out


def fd_disk(daemon, readonly=""):
    return f"""<disk type='file' device='disk'><driver name='qemu' type='raw'/>
        <source file='{daemon.root}/nowhere.img' fdgroup='g1'/>{readonly}<target dev='vda' bus='virtio'/></disk>"""


def holds(pid, path):
    with_path = 0
    for fd in pathlib.Path(f"/proc/{pid}/fd").iterdir():
        try:
            with_path += os.readlink(fd) == str(path)
        except FileNotFoundError:
            pass
    return with_path


def test_descriptors(daemon, connection):
    image = daemon.root / "hidden.img"
    image.write_bytes(bytes(1 << 20))
    daemon.define("p1", boot=False, memory=64, uuid=UUID, devices=fd_disk(daemon))
    missing = "file descriptor group 'g1' was not associated with the domain"
    assert missing in daemon.lodge("start", "p1", ok=False).err
    domain = connection.lookupByName("p1")
    with open(image, "r+b") as both, open(image, "rb") as read:
        domain.FDAssociate("g1", [both.fileno(), read.fileno()])
        domain.FDAssociate("g2", [read.fileno()])  # nobody asks for it
    own = daemon.process.pid
    assert holds(own, image) == 3
    with open("/dev/null", "rb") as null:
        before = len(os.listdir(f"/proc/{own}/fd"))
        for _ in range(200):  # in place of each other
            domain.FDAssociate("g2", [null.fileno()])
        assert len(os.listdir(f"/proc/{own}/fd")) <= before + 2
        with pytest.raises(Exception, match="at most"):
            for number in range(100):
                domain.FDAssociate(f"many{number}", [null.fileno()])
    assert holds(own, image) == 2
    domain.create()
    assert f"fdgroup='g1'" in domain.XMLDesc()
    assert holds(daemon.qemu_of("p1"), image) >= 2 and holds(own, image) == 2
    # the connection's end is the groups' end; what runs goes on, also over a restart
    del domain  # holds it, too
    connection.close()
    wait_until(lambda: holds(own, image) == 0, 60, "the descriptors are closed")
    daemon.restart()
    assert daemon.state("p1") == "running"
    daemon.lodge("destroy", "p1")
    assert missing in daemon.lodge("start", "p1", ok=False).err


def test_descriptors_of_a_command(daemon):
    image = daemon.root / "hidden.img"
    image.write_bytes(bytes(1 << 20))
    daemon.define("p1", boot=False, memory=64, uuid=UUID, devices=fd_disk(daemon, "<readonly/>"))
    with open(image, "r+b") as both:
        words = f"dom-fd-associate p1 --name g1 --pass-fds {both.fileno()} --seclabel-writable; start p1"
        print(virsh(daemon, words, pass_fds=[both.fileno()]))
        assert holds(daemon.qemu_of("p1"), image) >= 1
        # by the command: as long as it lives
        daemon.lodge("destroy", "p1")
        subprocess.run([LODGE, "--root", daemon.root, "dom-fd-associate",
                        "p1", "g1", str(both.fileno())], check=True, env=daemon.env, pass_fds=[both.fileno()])
        wait_until(lambda: holds(daemon.process.pid, image) == 0, 60, "its end is the group's end")
    wrong = daemon.lodge("dom-fd-associate", "p1", "g1", "99", ok=False)
    assert "file descriptor 99 is not open" in wrong.err
    assert daemon.lodge("dom-fd-associate", "p1", "g1", "x", ok=False).code == 2


# asks for its own standard output, by a connection of times when it was somebody else; 4: PR_SET_DUMPABLE
ANOTHER = r"""
import ctypes, os, socket, sys
with socket.socket(socket.AF_UNIX) as door:
    door.connect(sys.argv[1])
    os.setresuid(65534, 65534, 65534)
    ctypes.CDLL(None).prctl(4, 1)
    body = b'{"name": "g1", "pass_fds": "1"}'
    door.sendall(b"POST /v1/guests/p1/fds HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
                 b"Content-Length: %d\r\n\r\n" % len(body) + body)
    answer = door.makefile("rb").read()
print(os.getpid(), answer.decode())
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to become somebody else")
def test_descriptors_of_another(daemon):
    daemon.define("p1", boot=False, memory=64)
    done = subprocess.run(["python3", "-c", ANOTHER, daemon.socket], text=True, capture_output=True, timeout=60)
    pid, answer = done.stdout.split(" ", 1)
    assert "HTTP/1.1 403" in answer and f"process {pid} is not what has asked any more" in answer


def test_encrypted(daemon, connection):
    libvirt = pytest.importorskip("libvirt")
    xml = xml_for("p1", boot=False, extra="<launchSecurity type='sev'><policy>0x0001</policy></launchSecurity>")
    domain = connection.defineXML(xml)
    assert "<policy>0x0001</policy>" in domain.XMLDesc()
    try:
        info = connection.getSEVInfo()
        assert {"pdh", "cert-chain", "cbitpos", "reduced-phys-bits"} <= set(info)
        return  # a host that has it
    except libvirt.libvirtError as error:
        assert "QEMU does not support SEV guest" in str(error)
    with pytest.raises(libvirt.libvirtError) as refused:
        domain.create()
    assert "SEV launch security is not supported with this QEMU binary" in str(refused.value)
    with pytest.raises(libvirt.libvirtError) as refused:
        domain.launchSecurityInfo()
    assert "not running" in str(refused.value)
    daemon.define("p2", boot=False, memory=64)
    other = connection.lookupByName("p2")
    assert other.launchSecurityInfo() == {}
    with pytest.raises(libvirt.libvirtError) as refused:
        other.setLaunchSecurityState({"sev-secret-header": "AA==", "sev-secret": "AA=="})
    assert "only supported in SEV-enabled domains" in str(refused.value)
    assert "supported='no'" in daemon.lodge("domcapabilities").out.split("<sev")[1].split("\n")[0]


def test_edits(daemon):
    daemon.define("p1", boot=False, memory=64)
    daemon.env["EDITOR"] = "sed -i 's,</memory>,</memory><nonsense/>,'"
    try:
        assert "nonsense" in daemon.lodge("edit", "p1", ok=False).err
        assert "nonsense" not in daemon.lodge("dumpxml", "p1").out
        assert "edited" in daemon.lodge("edit", "p1", "--skip-validate").out
        assert "<nonsense/>" in daemon.lodge("dumpxml", "p1").out
        name = ("--uri", "http://example.org/a")
        assert "namespace key is required" in daemon.lodge("metadata", "p1", *name, "--edit", ok=False).err
        daemon.lodge("metadata", "p1", *name, "--key", "a", "--set", "<one>1</one>")
        daemon.env["EDITOR"] = "sed -i s/1/2/"
        assert "Metadata modified" in daemon.lodge("metadata", "p1", *name, "--key", "a", "--edit").out
        assert "<one>2</one>" in daemon.lodge("metadata", "p1", *name).out
        daemon.env["EDITOR"] = "true"
        assert "Metadata not changed" in daemon.lodge("metadata", "p1", *name, "--key", "a", "--edit").out
    finally:
        del daemon.env["EDITOR"]


def test_ends(daemon):
    image = daemon.root / "a.img"
    image.write_bytes(b"secret" * 1000)
    image.chmod(0o666)
    kept = open(image, "rb")  # what somebody reads who had it open, or who reads the disk below
    daemon.define("p1", boot=False, memory=64, devices=f"""<disk type='file' device='disk'>
        <driver name='qemu' type='raw'/><source file='{image}'/><target dev='vda' bus='virtio'/></disk>""")
    daemon.lodge("start", "p1")
    logs = list(daemon.root.glob("**/guests/p1.log"))
    assert logs
    daemon.lodge("destroy", "p1", "--remove-logs")
    assert not logs[0].exists()
    refused = daemon.lodge("undefine", "p1", "--wipe-storage", "--remove-all-storage", ok=None)
    if refused.code:  # this very test has it open
        assert str(image) in refused.err and image.exists() and daemon.lodge("dominfo", "p1")
        kept.close()
        os.link(image, daemon.root / "b.img")
        daemon.lodge("undefine", "p1", "--wipe-storage", "--remove-all-storage")
        kept = open(daemon.root / "b.img", "rb")
    assert not image.exists() and set(kept.read()) == {0}
    kept.close()
