"""The bytes of volumes as streams of libvirt's protocol, by a client that speaks raw packets: what runs beside
the loop (wire/libvirt/pump.c, pour.c) keeps packets whole, lets other calls through, and ends with its client."""
import itertools
import os
import socket
import struct

import pytest

from doors import configure, port_of
from lodgetest import wait_until
from virttest import CALL, CONTINUE, ERROR, OK, REPLY, STREAM, Raw, connection

HOLE = 6
LIB_VERSION, LOOKUP_BY_PATH, DELETE, UPLOAD, DOWNLOAD = 157, 97, 94, 208, 209
MIB = 1 << 20
CONTENT = b"".join(struct.pack(">Q", i) * 512 for i in range(4096))  # 16 MiB: more than is ever under way


def text(words):
    words = str(words).encode()
    return struct.pack(">I", len(words)) + words + b"\0" * (-len(words) % 4)


class Client(Raw):
    def __init__(self, daemon):
        super().__init__(daemon)
        self.early = []  # packets of streams that came before a reply

    def lookup(self, path):
        status, volume = self.call(LOOKUP_BY_PATH, text(path))
        assert status == OK
        return volume

    def begin(self, procedure, volume, offset=0, length=0, flags=0):
        """The serial of a stream."""
        serial = self.send(procedure, volume + struct.pack(">QQI", offset, length, flags))
        while (message := self.receive())[1] != REPLY:
            self.early.append(message)
        assert message[2:4] == (serial, OK)
        return serial

    def packet(self, procedure, serial, status, data=b"", kind=STREAM):
        self.sock.sendall(struct.pack(">IIIIIII", 28 + len(data), 0x20008086, 1, procedure, kind, serial, status)
                          + data)

    def until_end(self, *serials):
        """What comes of these downloads, by serial, and every reply, until all of them have ended."""
        came, replies = {serial: bytearray() for serial in serials}, []
        left = set(serials)
        while left:
            _, kind, serial, status, data = self.early.pop(0) if self.early else self.receive()
            if kind == REPLY:
                replies.append((serial, status))
                continue
            assert status == CONTINUE and serial in left, (kind, serial, status, data[:200])
            if kind == HOLE:
                came[serial] += bytes(struct.unpack(">QI", data)[0])
            elif data:
                assert len(data) <= 262120  # what libvirt's clients always took
                came[serial] += data
            else:
                left.remove(serial)
        return came, replies

    def finish(self, procedure, serial, status=OK):
        """Ends a stream; returns how that is answered, past the packets that were under way."""
        self.packet(procedure, serial, status)
        while True:
            _, kind, its, status, _ = self.receive()
            if kind == STREAM and its == serial and status != CONTINUE:
                return status


@pytest.fixture
def pool(daemon):
    folder = daemon.root / "streams"
    folder.mkdir()
    (folder / "v").write_bytes(CONTENT)
    with connection(daemon) as conn:
        conn.storagePoolCreateXML(f"<pool type='dir'><name>p</name><target><path>{folder}</path></target></pool>")
        yield folder


def opened(daemon):
    client = Client(daemon).open()
    client.sock.settimeout(60)
    return client


def test_who_reads_late_gets_replies_in_between(daemon, pool):
    client = opened(daemon)
    volume = client.lookup(pool / "v")
    first = client.begin(DOWNLOAD, volume)
    asked = [client.send(LIB_VERSION) for _ in range(20)]  # nothing is read meanwhile
    came, replies = client.until_end(first)
    assert bytes(came[first]) == CONTENT
    while len(replies) < len(asked):
        _, kind, serial, status, _ = client.receive()
        assert kind == REPLY
        replies.append((serial, status))
    assert replies == [(serial, OK) for serial in asked]
    assert client.finish(DOWNLOAD, first) == OK and client.call(LIB_VERSION)[0] == OK
    client.close()


def test_several_at_once_and_holes(daemon, pool):
    with open(pool / "holes", "wb") as file:
        for at in (0, 3 * MIB + 4096, 9 * MIB):
            file.seek(at)
            file.write(CONTENT[at:at + 300000])
        file.truncate(20 * MIB)
    whole = (pool / "holes").read_bytes()
    client = opened(daemon)
    volume = client.lookup(pool / "v")
    wait_until(lambda: client.call(LOOKUP_BY_PATH, text(pool / "holes"))[0] == OK, 60, "it is known")
    holes = client.lookup(pool / "holes")
    parts = {client.begin(DOWNLOAD, volume, 4097, 5 * MIB): CONTENT[4097:5 * MIB + 4097],
             client.begin(DOWNLOAD, holes, flags=1): whole, client.begin(DOWNLOAD, volume, 0, 1): CONTENT[:1],
             client.begin(DOWNLOAD, volume, len(CONTENT), 7): b"", client.begin(DOWNLOAD, holes): whole}
    came, _ = client.until_end(*parts)
    for serial, expected in parts.items():
        assert bytes(came[serial]) == expected
        assert client.finish(DOWNLOAD, serial) == OK
    client.close()


def test_ends_in_the_middle(daemon, pool):
    """Finish, abort and a client that has gone: the volume is free again, the connection goes on."""
    client = opened(daemon)
    volume = client.lookup(pool / "v")
    for status in (OK, ERROR):
        serial = client.begin(DOWNLOAD, volume)
        client.receive()
        assert client.finish(DOWNLOAD, serial, status) == OK
        assert client.call(LIB_VERSION)[0] == OK
    other = opened(daemon)
    other.begin(DOWNLOAD, volume)
    other.exactly(100000)
    other.close()
    third = opened(daemon)
    third.begin(DOWNLOAD, volume)  # and does not read at all
    third.close()
    wait_until(lambda: client.call(DELETE, volume + struct.pack(">I", 0))[0] == OK, 60, "it is free")
    client.close()


def test_shrinks_meanwhile(daemon, pool):
    client = opened(daemon)
    serial = client.begin(DOWNLOAD, client.lookup(pool / "v"))
    os.truncate(pool / "v", MIB)
    came, _ = client.until_end(serial)  # whole packets, and the end
    assert MIB <= len(came[serial]) <= len(CONTENT)
    assert client.finish(DOWNLOAD, serial) == OK
    client.close()


def test_upload_into_what_was_removed(daemon, pool):
    client = opened(daemon)
    serial = client.begin(UPLOAD, client.lookup(pool / "v"))
    client.packet(UPLOAD, serial, CONTINUE, CONTENT[:MIB])
    os.unlink(pool / "v")
    assert client.finish(UPLOAD, serial) == ERROR
    assert client.call(LIB_VERSION)[0] == OK
    client.close()


def test_upload_in_odd_pieces(daemon, pool):
    """Packets of all sizes, cut anywhere, with other calls and a hole in between."""
    client = opened(daemon)
    (pool / "new").write_bytes(b"")
    wait_until(lambda: client.call(LOOKUP_BY_PATH, text(pool / "new"))[0] == OK, 60, "it is known")
    serial = client.begin(UPLOAD, client.lookup(pool / "new"), flags=1)
    at, sizes, expected = 0, itertools.cycle((1, 4096, 262120, 5, 100000, 3 * MIB, 65537)), b""
    bytes_of_all, asked = bytearray(), 0
    while at < len(CONTENT):
        part = CONTENT[at:at + next(sizes)]
        at += len(part)
        expected += part
        bytes_of_all += struct.pack(">IIIIIII", 28 + len(part), 0x20008086, 1, UPLOAD, STREAM, serial, CONTINUE)
        bytes_of_all += part
        if len(part) == 5:
            bytes_of_all += struct.pack(">IIIIIII", 28, 0x20008086, 1, LIB_VERSION, CALL, 1000 + asked, OK)
            bytes_of_all += struct.pack(">IIIIIIIQI", 40, 0x20008086, 1, UPLOAD, HOLE, serial, CONTINUE, 50000, 0)
            expected += bytes(50000)
            asked += 1
    for begin in range(0, len(bytes_of_all), 777777):  # cut without regard to packets
        client.sock.sendall(bytes_of_all[begin:begin + 777777])
    for i in range(asked):
        assert client.receive()[1:4] == (REPLY, 1000 + i, OK)
    assert client.finish(UPLOAD, serial) == OK
    assert (pool / "new").read_bytes() == expected
    client.close()


def test_by_tcp(make_daemon):
    daemon = make_daemon()
    configure(daemon, 'listen_tcp = 1\ntcp_port = "0"\nlisten_addr = "127.0.0.1"\nauth_tcp = "none"\n')
    daemon.start()
    folder = daemon.root / "tcp"
    folder.mkdir()
    (folder / "v").write_bytes(CONTENT)
    with connection(daemon) as conn:
        conn.storagePoolCreateXML(f"<pool type='dir'><name>p</name><target><path>{folder}</path></target></pool>")
    client = opened(daemon)
    client.sock.close()
    client.sock = socket.create_connection(("127.0.0.1", port_of(daemon, "TCP")), 60)
    client.open()
    volume = client.lookup(folder / "v")
    serial = client.begin(DOWNLOAD, volume)
    came, _ = client.until_end(serial)
    assert bytes(came[serial]) == CONTENT and client.finish(DOWNLOAD, serial) == OK
    serial = client.begin(UPLOAD, volume)
    for at in range(0, len(CONTENT), 262120):
        client.packet(UPLOAD, serial, CONTINUE, CONTENT[::-1][at:at + 262120])
    assert client.finish(UPLOAD, serial) == OK and (folder / "v").read_bytes() == CONTENT[::-1]
    client.close()
