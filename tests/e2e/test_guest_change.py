"""One thing of a guest is changed while it runs; guests that end with who started them; documents in every
form. The guest boots nothing: QEMU alone is spoken to."""
import signal
import subprocess

import libvirt
import pytest

from lodgetest import LODGE, wait_until
from virttest import EventLoop, connection, uri

XML = """<domain type='qemu'>
  <name>{name}</name><memory>65536</memory><vcpu>1</vcpu>
  <os><type arch='x86_64' machine='pc'>hvm</type></os>
  <cpu mode='host-model'/>
  <devices>
    <disk type='file'><driver name='qemu' type='qcow2'/><source file='{disk}'/>
      <target dev='vda' bus='virtio'/></disk>
    <interface type='user'><mac address='52:54:00:11:22:33'/><model type='virtio'/></interface>
    <graphics type='vnc' passwd='secret' autoport='yes'/>
  </devices>
</domain>"""
DISK = "/machine/peripheral/virtio-disk0/virtio-backend"
NIC = "52:54:00:11:22:33"


@pytest.fixture
def web1(daemon):
    disk = daemon.root / "web1.qcow2"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", disk, "1M"], check=True)
    daemon.define_xml = XML.format(name="web1", disk=disk)
    daemon.lodge("define", daemon.write("web1.xml", daemon.define_xml))
    return daemon


def test_changes_of_what_runs(web1):
    web1.lodge("start", "web1")
    assert web1.lodge("domif-getlink", "web1", NIC).out.strip() == f"{NIC} up"
    assert web1.lodge("domif-setlink", "web1", NIC, "down").out.strip() == "Device updated successfully"
    assert web1.lodge("domif-getlink", "web1", NIC).out.strip() == f"{NIC} down"
    assert web1.lodge("domif-getlink", "web1", NIC, "--config").out.strip() == f"{NIC} up"
    assert "<link state='down'/>" in web1.lodge("dumpxml", "web1").out
    web1.lodge("set-lifecycle-action", "web1", "poweroff", "restart", "--live")
    web1.lodge("set-lifecycle-action", "web1", "crash", "preserve", "--config")
    assert "<on_poweroff>restart<" in web1.lodge("dumpxml", "web1").out
    assert "<on_crash>preserve<" in web1.lodge("dumpxml", "web1", "--inactive").out
    refused = web1.lodge("set-lifecycle-action", "web1", "reboot", "preserve", ok=False)
    assert "use destroy or restart" in refused.err


def test_a_threshold_is_told_of(web1):
    EventLoop.start()
    told = []
    with connection(web1) as c:
        d = c.lookupByName("web1")
        d.create()

        def hear(_c, _d, dev, path, threshold, _excess, _opaque):
            told.append((dev, path, threshold))
        c.domainEventRegisterAny(d, libvirt.VIR_DOMAIN_EVENT_ID_BLOCK_THRESHOLD, hear, None)
        d.setBlockThreshold("vda", 4096)
        with pytest.raises(libvirt.libvirtError, match="vdb"):
            d.setBlockThreshold("vdb", 4096)
        web1.lodge("qemu-monitor-command", "web1", "--hmp", f'qemu-io -d {DISK} "write 0 512k"')
        wait_until(lambda: told, 60, "the event")
    assert told == [("vda", str(web1.root / "web1.qcow2"), 4096)]


def test_documents(web1):
    def dump(*options):
        return web1.lodge("dumpxml", "web1", *options).out
    assert "<cpu mode='host-model'" in dump() and "secret" not in dump()
    updated = dump("--update-cpu")
    assert "<cpu mode='custom' match='exact'" in updated and "policy='require'" in updated
    other = dump("--migratable")
    assert "passwd='secret'" in other and "piix3-uhci" not in other and "pci-root" not in other
    assert "<cpu mode='host-model'" in other and "type='keyboard'" not in other
    with connection(web1, read_only=True) as c:
        with pytest.raises(libvirt.libvirtError):
            c.lookupByName("web1").XMLDesc(libvirt.VIR_DOMAIN_XML_MIGRATABLE)


def test_guests_that_end_with_their_connection(web1):
    with connection(web1) as c:
        c.lookupByName("web1").createWithFlags(libvirt.VIR_DOMAIN_START_AUTODESTROY)
        assert web1.state("web1") == "running"
    wait_until(lambda: web1.state("web1") == "shut off", 60, "it ends with the connection")
    tied = subprocess.Popen([LODGE, "--root", web1.root, "start", "web1", "--autodestroy"], env=web1.env,
                            stdout=subprocess.PIPE)
    assert tied.stdout.readline() == b"Domain 'web1' started\n"
    wait_until(lambda: "guest web1: tie by" in web1.said(), 60, "it is tied to the command")
    tied.send_signal(signal.SIGKILL)
    tied.wait(60)
    wait_until(lambda: web1.state("web1") == "shut off", 60, "it ends with the command")
    holder = subprocess.Popen(["virsh", "-c", uri(web1)], env=web1.env, stdin=subprocess.PIPE,
                              stdout=subprocess.DEVNULL, text=True)
    holder.stdin.write("start web1 --autodestroy\n")
    holder.stdin.flush()
    wait_until(lambda: web1.state("web1") == "running", 60, "it runs")
    web1.kill()
    web1.start()
    wait_until(lambda: web1.state("web1") == "shut off", 60, "the next daemon ends it")
    holder.kill()
    holder.wait(60)
