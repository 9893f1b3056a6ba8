"""Clients that do not behave: raw bytes to libvirt's door. Whatever one does, others are served."""
import os
import pathlib
import struct

import pytest

from lodgetest import wait_until, xml_for
from virttest import ERROR, EVENT, KEEPALIVE, OK, QEMU, Raw, virsh

CLOSE, LIB_VERSION, LIST_ALL, LOOKUP, DESTROY = 2, 157, 273, 23, 12
# number and payload without the guest of every procedure that changes something
WRITING = {"create": 9, "destroy": 12, "reboot": 27, "resume": 28, "set_autostart": 29, "shutdown": 33,
           "suspend": 34, "undefine": 35, "create_with_flags": 196, "inject_nmi": 210, "send_key": 226,
           "undefine_flags": 231, "destroy_flags": 234, "reset": 245, "shutdown_flags": 258,
           "set_metadata": 264, "rename": 358, "screenshot": 211, "open_console": 201}
MORE = {29: ">i", 27: ">I", 196: ">I", 210: ">I", 231: ">I", 234: ">I", 245: ">I", 258: ">I"}


def text(words):
    words = words.encode()
    return struct.pack(">I", len(words)) + words + b"\0" * (-len(words) % 4)


def served(daemon):
    """Another client is."""
    other = Raw(daemon).open()
    assert other.call(LIB_VERSION) == (OK, struct.pack(">Q", 9000000))
    other.close()


def code_of(answer):
    return struct.unpack(">i", answer[:4])[0]


def test_unknown_things_are_errors(daemon):
    client = Raw(daemon).open()
    for procedure in (0, 9999, 0xFFFFFFFF, 500):
        status, answer = client.call(procedure)
        assert status == ERROR and code_of(answer) == 3
    status, answer = client.call(1, program=0x1234)
    assert status == ERROR and code_of(answer) == 39
    status, answer = client.call(LIB_VERSION, version=7)
    assert status == ERROR and code_of(answer) == 39
    assert client.call(1, program=QEMU)[0] == ERROR
    assert client.call(LIB_VERSION)[0] == OK


def test_not_open_yet(daemon):
    client = Raw(daemon)
    assert client.call(66)[0] == OK
    assert client.call(LIST_ALL, struct.pack(">II", 1, 0))[0] == ERROR
    assert client.open().call(LIST_ALL, struct.pack(">II", 1, 0))[0] == OK


@pytest.mark.parametrize("size", [0, 4, 27, 32 * 1024 * 1024 + 5, 0x7FFFFFFF, 0xFFFFFFFF])
def test_impossible_lengths(daemon, size):
    client = Raw(daemon)
    client.sock.sendall(struct.pack(">IIIIIII", size, 0x20008086, 1, 66, 0, 1, 0))
    assert client.is_closed()
    served(daemon)


@pytest.mark.parametrize("payload", [
    b"", b"\0\0\0", struct.pack(">I", 0xFFFFFFFF), struct.pack(">I", 0x7FFFFFFF) + b"abcd",
    struct.pack(">I", 5) + b"abcd", text("x" * 100)[:50], struct.pack(">I", 3) + b"\xff\xfe\xfd\0",
    struct.pack(">I", 4) + b"a\0bc", text("web1") + b"more",
])
def test_bad_arguments(daemon, payload):
    client = Raw(daemon).open()
    assert client.call(LOOKUP, payload)[0] == ERROR
    assert client.call(LIB_VERSION)[0] == OK


def test_half_a_message_waits_alone(daemon):
    half = Raw(daemon).open()
    half.sock.sendall(struct.pack(">IIII", 4096, 0x20008086, 1, 10) + b"x" * 100)
    served(daemon)
    assert virsh(daemon, "list", "--all").returncode == 0


def test_many_in_one_write(daemon):
    client = Raw(daemon).open()
    serials = []
    message = b""
    for serial in range(1000, 1500):
        serials.append(serial)
        message += struct.pack(">IIIIIII", 28, 0x20008086, 1, LIB_VERSION, 0, serial, 0)
    client.sock.sendall(message)
    assert sorted(client.receive()[2] for _ in serials) == serials


def test_goodbye(daemon):
    """Whoever says it gets what he asked for before, and is hung up on."""
    client = Raw(daemon).open()
    serials = list(range(1000, 1100))
    client.sock.sendall(b"".join(
        struct.pack(">IIIIIII", 28, 0x20008086, 1, procedure, 0, serial, 0)
        for serial, procedure in zip(serials, [LIB_VERSION] * 99 + [CLOSE])))
    assert [client.receive()[2] for _ in serials] == serials
    assert client.is_closed()
    served(daemon)


def test_few_and_many_by_turns(daemon):
    """Few clients are waited for in another way than many."""
    clients = []
    for number in (1, 3, 9, 2, 6, 4, 5, 1):
        while len(clients) < number:
            clients.append(Raw(daemon).open())
        while len(clients) > number:
            clients.pop(0).close()
        for client in clients:
            client.send(LIB_VERSION)
        for client in clients:
            assert client.receive()[3] == OK


def test_events_and_openings_that_do_not_fit(daemon):
    """Asked for twice, not asked for, not known: libvirt's numbers, and the connection lives on."""
    client = Raw(daemon).open()
    number = struct.Struct(">i").pack
    steps = [(1, struct.pack(">II", 0, 0), 1), (105, b"", 0), (105, b"", 8), (106, b"", 0), (106, b"", 1),
             (167, number(3), 0), (167, number(3), 8), (167, number(99), 1), (168, number(3), 0),
             (168, number(3), 1), (168, number(99), 1), (316, number(-1) + number(0), 1),
             (317, number(4711), 1), (317, number(-1), 1), (313, number(7) + number(0), 1),
             (314, number(4711), 1)]
    for procedure, payload, code in steps:
        status, answer = client.call(procedure, payload)
        assert (status, code_of(answer) if status else 0) == (ERROR if code else OK, code), procedure
    served(daemon)


def test_a_guest_that_is_gone_counts_more(daemon):
    """than what else is wrong with the call."""
    gone = text("gone") + bytes(range(16)) + struct.pack(">i", -1)
    client = Raw(daemon).open()
    for procedure, rest in ((103, text("vda") + struct.pack(">QII", 0, 0, 0)),
                            (225, struct.pack(">III", 0, 0, 0)), (252, text("vda") + struct.pack(">II", 0, 0))):
        status, answer = client.call(procedure, gone + rest)
        assert status == ERROR and code_of(answer) == 42, procedure


def test_pings(daemon):
    client = Raw(daemon)
    client.send(1, program=KEEPALIVE, kind=EVENT)
    procedure, kind, *_ = client.receive()
    assert (procedure, kind) == (2, EVENT)


def test_idle_clients_are_pinged(daemon):
    client = Raw(daemon).open()
    assert client.call(60, struct.pack(">i", 10)) == (OK, struct.pack(">i", 1))
    procedure, kind, *_ = client.receive()
    assert (procedure, kind) == (1, EVENT)


def test_one_that_never_reads(daemon):
    """It is not read any more; the daemon does not grow, and others are served."""
    client = Raw(daemon).open()
    client.sock.setblocking(False)
    call = struct.pack(">IIIIIII", 28, 0x20008086, 1, 7, 0, 1, 0)  # capabilities: a long answer
    sent = 0
    with pytest.raises(BlockingIOError):
        while sent < 64 << 20:
            sent += client.sock.send(call * 1000)
    served(daemon)
    status = pathlib.Path(f"/proc/{daemon.process.pid}/status").read_text()
    rss = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))
    assert rss < 512 * 1024  # with sanitizers
    client.close()
    served(daemon)


def test_many_connections(daemon):
    clients = [Raw(daemon) for _ in range(300)]
    assert clients[-1].call(66)[0] == OK
    for client in clients:
        client.close()
    served(daemon)
    fds = f"/proc/{daemon.process.pid}/fd"
    wait_until(lambda: len(os.listdir(fds)) < 100, 60, "their descriptors are closed")


def guest_words(client, name):
    status, answer = client.call(LOOKUP, text(name))
    assert status == OK
    return answer


def test_read_only_is_the_daemons_word(daemon):
    """Whatever the client sends: the socket decides."""
    virsh(daemon, "define", daemon.write("web1.xml", xml_for("web1", boot=False)))
    virsh(daemon, "start", "web1")
    client = Raw(daemon, read_only=True).open()
    dom = guest_words(client, "web1")
    for name, number in WRITING.items():
        payload = {226: dom + struct.pack(">III", 0, 0, 1) + struct.pack(">II", 30, 0),
                   264: dom + struct.pack(">i", 0) + struct.pack(">III", 0, 0, 0) + struct.pack(">I", 0),
                   358: dom + struct.pack(">I", 1) + text("x") + struct.pack(">I", 0),
                   211: dom + struct.pack(">II", 0, 0),
                   201: dom + struct.pack(">II", 0, 0)}.get(
            number, dom + (struct.pack(MORE[number], 0) if number in MORE else b""))
        status, answer = client.call(number, payload)
        assert status == ERROR and code_of(answer) == 29, (name, status, answer)
    status, answer = client.call(1, dom + text("{}") + struct.pack(">I", 0), program=QEMU)
    assert status == ERROR and code_of(answer) == 29
    for number in (11, 10):
        status, answer = client.call(number, text("<domain/>") + (b"\0\0\0\0" if number == 10 else b""))
        assert status == ERROR and code_of(answer) == 29
    assert virsh(daemon, "domstate", "web1").stdout.strip() == "running"


def test_dies_in_the_middle(daemon):
    """A client that is gone before its answer: the work is done, nothing is left."""
    virsh(daemon, "define", daemon.write("web1.xml", xml_for("web1", boot=False)))
    client = Raw(daemon).open()
    dom = guest_words(client, "web1")
    client.send(9, dom)
    client.close()
    wait_until(lambda: virsh(daemon, "domstate", "web1").stdout.strip() == "running", 60, "it runs")
    virsh(daemon, "destroy", "web1")
    served(daemon)
