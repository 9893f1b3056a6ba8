"""The end of a stream reaches a client that reads late (the REST door's pump)."""
import socket
import time

import pytest


def all_of(daemon, size):
    """What comes of a download of @size bytes to one who first looks on until the daemon has said all."""
    request = ("GET /v1/volumes/download?vol=v.raw&pool=default HTTP/1.1\r\nHost: x\r\n"
               "Connection: Upgrade\r\nUpgrade: lodge-stream\r\n\r\n")
    with socket.socket(socket.AF_UNIX) as late:
        late.connect(str(daemon.socket))
        late.settimeout(60)
        late.send(request.encode())
        time.sleep(0.5)
        said = b""
        while len(said) < size + 4096 and (more := late.recv(1 << 20)):
            said += more
    return said.partition(b"\r\n\r\n")[2]


@pytest.mark.parametrize("kib", [256, 320, 384, 448, 512])
def test_what_a_closed_end_left_arrives(daemon, kib):
    size = kib << 10
    file = daemon.root / "file"
    file.write_bytes(bytes(range(256)) * (size >> 8))
    daemon.lodge("vol-create-as", "default", "v.raw", str(size), "--format", "raw")
    daemon.lodge("vol-upload", "v.raw", file, "--pool", "default")
    assert all_of(daemon, size)[-9:-8] == b"O"
