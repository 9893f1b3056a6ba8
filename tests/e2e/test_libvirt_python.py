"""python3-libvirt against Lodge: events, streams, several clients, the old calls."""
import queue
import socket
import threading
import time

import libvirt

from lodgetest import READY, xml_for
from virttest import EventLoop, connection, refused


def define(conn, name, **parts):
    parts.setdefault("boot", False)
    return conn.defineXML(xml_for(name, **parts))


def test_old_lists_and_lookups(daemon):
    with connection(daemon) as conn:
        assert (conn.numOfDomains(), conn.numOfDefinedDomains()) == (0, 0)
        one, two = define(conn, "one"), define(conn, "two")
        one.create()
        assert conn.listDomainsID() == [one.ID()] and conn.numOfDomains() == 1
        assert conn.listDefinedDomains() == ["two"]
        assert conn.lookupByID(one.ID()).name() == "one"
        assert conn.lookupByUUIDString(two.UUIDString()).name() == "two"
        assert one.info()[0] == libvirt.VIR_DOMAIN_RUNNING and two.info()[0] == libvirt.VIR_DOMAIN_SHUTOFF
        assert one.isActive() and one.isPersistent() and not two.isActive()
        assert not one.isUpdated()
        conn.defineXML(one.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE))
        assert one.isUpdated() and not two.isUpdated()
        for bring_in in (conn.defineXML, conn.createXML):  # without <uuid> it is another guest
            refused(lambda: bring_in(xml_for("two", boot=False)), libvirt.VIR_ERR_OPERATION_FAILED)
        assert one.maxMemory() == 131072 and one.maxVcpus() == 1 and one.OSType() == "hvm"
        refused(lambda: conn.lookupByID(99), libvirt.VIR_ERR_NO_DOMAIN)
        refused(lambda: conn.lookupByName("1"), libvirt.VIR_ERR_NO_DOMAIN)
        refused(one.create, libvirt.VIR_ERR_OPERATION_INVALID)
        lost = "<disk type='file'><source file='/nowhere/x.img'/><target dev='vda' bus='virtio'/></disk>"
        refused(define(conn, "lost", devices=lost).create, libvirt.VIR_ERR_SYSTEM_ERROR)
        gone = conn.lookupByName("two")
        gone.undefine()
        refused(gone.info, libvirt.VIR_ERR_NO_DOMAIN)
        refused(lambda: one.metadata(0, None), libvirt.VIR_ERR_NO_DOMAIN_METADATA)


def test_name_of_digits(daemon):
    """A guest called like another one's id is found by its name."""
    with connection(daemon) as conn:
        one, digits = define(conn, "one"), define(conn, "1")
        one.create()
        assert one.ID() == 1 and conn.lookupByName("1").UUID() == digits.UUID()


def test_versions_and_host(daemon):
    with connection(daemon) as conn:
        assert conn.getLibVersion() == 9000000 and conn.getType() == "QEMU"
        assert conn.getVersion() > 7000000 and conn.isAlive() and conn.isSecure()
        model, memory, cpus, *_ = conn.getInfo()
        assert model == "x86_64" and memory > 0 and cpus > 0
        assert conn.getCPUMap()[0] >= cpus
        assert "qemu64" in conn.getCPUModelNames("x86_64")
        stats = conn.getAllDomainStats()
        assert stats == []


def follow(conn, kind, domain=None):
    seen = queue.Queue()
    conn.domainEventRegisterAny(domain, kind, lambda *args: seen.put(args[1:]), None)
    return seen


def test_events(daemon):
    EventLoop.start()
    with connection(daemon) as conn, connection(daemon) as other:
        seen = follow(conn, libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE)
        guest = define(other, "web1")
        guest.create()
        guest.suspend()
        guest.resume()
        guest.destroy()
        guest.undefine()
        got = []
        while len(got) < 6:
            dom, event, detail, _ = seen.get(timeout=60)
            assert dom.name() == "web1"
            got.append((event, detail))
        assert got == [
            (libvirt.VIR_DOMAIN_EVENT_DEFINED, libvirt.VIR_DOMAIN_EVENT_DEFINED_ADDED),
            (libvirt.VIR_DOMAIN_EVENT_STARTED, libvirt.VIR_DOMAIN_EVENT_STARTED_BOOTED),
            (libvirt.VIR_DOMAIN_EVENT_SUSPENDED, libvirt.VIR_DOMAIN_EVENT_SUSPENDED_PAUSED),
            (libvirt.VIR_DOMAIN_EVENT_RESUMED, libvirt.VIR_DOMAIN_EVENT_RESUMED_UNPAUSED),
            (libvirt.VIR_DOMAIN_EVENT_STOPPED, libvirt.VIR_DOMAIN_EVENT_STOPPED_DESTROYED),
            (libvirt.VIR_DOMAIN_EVENT_UNDEFINED, libvirt.VIR_DOMAIN_EVENT_UNDEFINED_REMOVED),
        ]


def test_events_of_one_guest(daemon):
    EventLoop.start()
    with connection(daemon) as conn:
        one, two = define(conn, "one"), define(conn, "two")
        seen = follow(conn, libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE, two)
        told = follow(conn, libvirt.VIR_DOMAIN_EVENT_ID_METADATA_CHANGE)
        one.create()
        two.create()
        assert seen.get(timeout=60)[0].name() == "two"
        one.setMetadata(libvirt.VIR_DOMAIN_METADATA_TITLE, "First", None, None)
        dom, kind, where, _ = told.get(timeout=60)
        assert (dom.name(), kind, where) == ("one", libvirt.VIR_DOMAIN_METADATA_TITLE, None)
        time.sleep(0.2)
        assert seen.empty()


def test_deregistered_is_silent(daemon):
    EventLoop.start()
    with connection(daemon) as conn:
        seen = queue.Queue()
        number = conn.domainEventRegisterAny(None, 0, lambda *args: seen.put(args), None)
        conn.domainEventDeregisterAny(number)
        define(conn, "web1")
        time.sleep(0.3)
        assert seen.empty()


def test_console_stream(daemon):
    with connection(daemon) as conn:
        guest = define(conn, "web1", boot=True)
        guest.create()
        stream = conn.newStream()
        guest.openConsole(None, stream, 0)
        said = b""
        while READY.encode() not in said:
            said += stream.recv(4096)
        stream.send(b"echo A''B\r")
        while b"AB" not in said:
            said += stream.recv(4096)
        stream.finish()
        assert guest.isActive()


def test_aborted_stream_and_end_of_guest(daemon):
    with connection(daemon) as conn:
        guest = define(conn, "web1")
        guest.create()
        stream = conn.newStream()
        guest.openConsole(None, stream, 0)
        for _ in range(50):  # whoever has left is no active session: it was, now and then
            stream.abort()
            stream = conn.newStream()
            guest.openConsole(None, stream, 0)
        guest.destroy()
        while stream.recv(4096):
            pass
        stream.finish()
        assert conn.getLibVersion() == 9000000


def test_screen_as_a_descriptor(daemon):
    """VNC without any listener: what virt-viewer does on the same machine."""
    with connection(daemon) as conn:
        guest = define(conn, "web1", devices="<graphics type='vnc'/><video><model type='vga'/></video>")
        guest.create()
        with socket.socket(fileno=guest.openGraphicsFD(0, libvirt.VIR_DOMAIN_OPEN_GRAPHICS_SKIPAUTH)) as vnc:
            vnc.settimeout(60)
            assert vnc.recv(12) == b"RFB 003.008\n"
        assert conn.getLibVersion() == 9000000
        refused(lambda: guest.openGraphicsFD(3, 0), libvirt.VIR_ERR_INTERNAL_ERROR)


def test_console_of_a_guest_that_is_off(daemon):
    with connection(daemon) as conn:
        guest = define(conn, "web1")
        refused(lambda: guest.openConsole(None, conn.newStream(), 0), libvirt.VIR_ERR_OPERATION_INVALID)
        assert conn.getLibVersion() == 9000000


def test_read_only_cannot_write(daemon):
    with connection(daemon) as conn:
        define(conn, "web1").create()
    with connection(daemon, read_only=True) as conn:
        guest = conn.lookupByName("web1")
        assert guest.isActive() and guest.XMLDesc()
        # the client itself refuses these; the daemon's own refusal is in test_libvirt_raw
        for call in (guest.destroy, guest.suspend, guest.undefine, lambda: guest.setAutostart(1),
                     lambda: conn.defineXML(xml_for("x", boot=False))):
            refused(call, libvirt.VIR_ERR_OPERATION_DENIED)


def test_many_clients_at_once(daemon):
    wrong = []

    def work(number):
        try:
            with connection(daemon) as conn:
                guest = define(conn, f"web{number}")
                for _ in range(50):
                    assert guest.info()[0] == libvirt.VIR_DOMAIN_SHUTOFF
                    conn.listAllDomains()
                guest.undefine()
        except Exception as error:  # told by the main thread
            wrong.append(error)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
