"""Node devices by stock clients: what this host has, documents that libvirt's schema calls valid, events."""
import pathlib
import shutil
import subprocess
from xml.etree import ElementTree

import libvirt
import pytest

import lodgetest
import nettest
import rnggen
from virttest import EventLoop, connection, refused, virsh

GOLDEN = lodgetest.ROOT / "tests" / "golden" / "nodedev"
SCHEMA = rnggen.SCHEMAS / "nodedev.rng"
OWN_SYSFS = 'mount -t sysfs sysfs /sys && exec "$@"'


class SysDaemon(nettest.NetDaemon):
    """A daemon whose /sys shows the interfaces of its own network."""

    def inside(self, *words):
        return super().inside("unshare", "-m", "sh", "-c", OWN_SYSFS, "sh", *words)


@pytest.fixture
def sys_daemon():
    nettest.need_root()
    daemon = SysDaemon()
    try:
        yield daemon.start()
    finally:
        wrong = daemon.close()
    assert not wrong, "\n".join(wrong)


def check_schema(files):
    if not (shutil.which("xmllint") and SCHEMA.exists()):
        pytest.skip("xmllint or libvirt's schemas are not installed")
    done = subprocess.run(["xmllint", "--noout", "--relaxng", SCHEMA, *files], text=True, capture_output=True)
    assert done.returncode == 0, done.stderr


def test_golden_documents_are_valid():
    check_schema(sorted(GOLDEN.glob("*.xml")))


def test_host(sys_daemon):
    """What this machine has, by virsh, python and lodge alike. In a network of its own: nobody changes it."""
    daemon = sys_daemon
    names = virsh(daemon, "nodedev-list").stdout.split()
    assert "computer" in names and names == sorted(names)
    assert daemon.lodge("nodedev-list").out.split() == names
    tree = virsh(daemon, "nodedev-list", "--tree").stdout
    assert daemon.lodge("nodedev-list", "--tree").out.rstrip() == tree.rstrip()
    files = []
    with connection(daemon, read_only=True) as conn:
        for name in names:
            device = conn.nodeDeviceLookupByName(name)
            path = pathlib.Path(daemon.root, name + ".xml")
            path.write_text(device.XMLDesc())
            files.append(path)
            parent = ElementTree.fromstring(path.read_text()).findtext("parent")
            assert device.parent() == parent and (parent in names or name == "computer")
            assert device.numOfCaps() == len(device.listCaps()) > 0
            assert device.isActive() and device.isPersistent() == (name == "computer")
        assert conn.numOfDevices("system") == 1 and conn.listDevices("system") == ["computer"]
        only = conn.listAllDevices(libvirt.VIR_CONNECT_LIST_NODE_DEVICES_CAP_NET)
        assert [d.name() for d in only] == [n for n in names if n.startswith("net_")]
        refused(lambda: conn.nodeDeviceLookupByName("nosuch"), libvirt.VIR_ERR_NO_NODE_DEVICE)
        refused(lambda: device.reset(), libvirt.VIR_ERR_OPERATION_DENIED)
    check_schema(files)
    assert daemon.lodge("nodedev-info", "computer").out.split("\n")[0] == "Name:           computer"


def test_refusals(daemon):
    done = virsh(daemon, "nodedev-detach", "computer", ok=False)
    assert "device computer is not a PCI device" in done.stderr
    assert "no node device with matching name 'nosuch'" in daemon.lodge("nodedev-dumpxml", "nosuch", ok=False).err
    document = daemon.write("m.xml", "<device><parent>computer</parent><capability type='mdev'>"
                                     "<type id='x'/></capability></device>")
    for verb in "nodedev-create", "nodedev-define":
        done = virsh(daemon, verb, document, ok=False)
        assert "node device 'computer' offers no mediated devices" in done.stderr
    done = virsh(daemon, "nodedev-destroy", "computer", ok=False)
    assert "Unsupported device type" in done.stderr


def test_events(sys_daemon):
    """An interface comes, changes its name, goes: each client that listens hears of it, and lists follow."""
    daemon, heard = sys_daemon, []
    mac = "02:00:00:00:00:07"
    name = "net_tap7_02_00_00_00_00_07"
    EventLoop.start()
    with connection(daemon) as conn:
        conn.nodeDeviceEventRegisterAny(None, libvirt.VIR_NODE_DEVICE_EVENT_ID_LIFECYCLE,
                                        lambda c, d, event, detail, o: heard.append((d.name(), event)), None)
        assert "net_lo_00_00_00_00_00_00" in [d.name() for d in conn.listAllDevices()]
        daemon.sh(f"ip tuntap add tap6 mode tap && ip link set tap6 address {mac}")
        daemon.sh("ip link set tap6 name tap7")
        lodgetest.wait_until(lambda: (name, libvirt.VIR_NODE_DEVICE_EVENT_CREATED) in heard, 60, "it comes")
        assert name in [d.name() for d in conn.listAllDevices()]
        assert mac in conn.nodeDeviceLookupByName(name).XMLDesc()
        daemon.sh("ip link delete tap7")
        lodgetest.wait_until(lambda: (name, libvirt.VIR_NODE_DEVICE_EVENT_DELETED) in heard, 60, "it goes")
        assert name not in [d.name() for d in conn.listAllDevices()]
