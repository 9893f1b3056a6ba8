"""The bytes of volumes as plain bodies of HTTP: whole, in ranges, gone on with after a break, refused with a
reason."""
import json
import os
import socket
import subprocess

from lodgetest import has_locks, wait_until

MIB = 1 << 20


def volume(daemon, name="v.img", size="8M"):
    daemon.lodge("vol-create-as", "default", name, size, "--allocation", "0")
    return daemon.root / "images" / name


def at(verb, name="v.img"):
    return f"/v1/volumes/{verb}?vol={name}&pool=default"


def test_whole_and_ranges(daemon):
    path, data = volume(daemon), os.urandom(8 * MIB)
    assert daemon.rest("POST", at("upload"), data).status == 200
    assert path.read_bytes() == data
    answer = daemon.rest("GET", at("download"))
    assert answer.status == 200 and answer.body == data and answer.headers["Accept-Ranges"] == "bytes"
    for asked, part in (("bytes=100-199", slice(100, 200)), (f"bytes={7 * MIB}-", slice(7 * MIB, None)),
                        (f"bytes={8 * MIB - 5}-{9 * MIB}", slice(8 * MIB - 5, None))):
        answer = daemon.rest("GET", at("download"), headers={"Range": asked})
        start, end, _ = part.indices(len(data))
        assert answer.status == 206 and answer.body == data[part]
        assert answer.headers["Content-Range"] == f"bytes {start}-{end - 1}/{len(data)}"
    for odd in ("bytes=5-2", "bytes=-5", "bytes=1-2,4-5", "lines=1-2", "bytes=x-"):
        assert daemon.rest("GET", at("download"), headers={"Range": odd}).body == data
    # a piece in the middle
    answer = daemon.rest("POST", at("upload"), b"x" * 1000, {"Content-Range": f"bytes 5000-5999/{8 * MIB}"})
    assert answer.status == 200
    assert path.read_bytes() == data[:5000] + b"x" * 1000 + data[6000:]
    with open(daemon.root / "curl.img", "wb") as out:
        subprocess.run(["curl", "-sSf", "--unix-socket", daemon.socket, f"http://l{at('download')}"], check=True,
                       stdout=out)
    assert (daemon.root / "curl.img").read_bytes() == path.read_bytes()


def test_refused(daemon):
    """Too much, wrong words, a volume that is not there or in use: with the reason, nothing is left busy."""
    path = volume(daemon, size="1M")
    answer = daemon.rest("POST", at("upload"), bytes(MIB), {"Content-Range": "bytes 0-9/*"})
    assert answer.status == 400 and "more bytes are sent" in answer.body["error"]["message"]
    for name, header, status in (("none.img", {}, 404), ("v.img", {"Content-Range": "bytes 5"}, 400)):
        answer = daemon.rest("POST", at("upload", name), bytes(2 * MIB), header)
        assert answer.status == status, answer
    answer = daemon.rest("GET", at("download"), headers={"Range": f"bytes={2 * MIB}-"})
    assert answer.status == 416 and answer.headers["Content-Range"] == f"bytes */{MIB}"
    held = subprocess.Popen(["qemu-io", "-f", "raw", path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        wait_until(lambda: has_locks(held.pid), 60, "qemu-io has locked the image")
        answer = daemon.rest("POST", at("upload"), b"x" * MIB)
        assert answer.status == 409 and f"process {held.pid}" in answer.body["error"]["message"]
    finally:
        held.communicate("quit\n", timeout=60)
    assert daemon.rest("POST", at("upload"), b"").status == 200
    daemon.lodge("vol-delete", "v.img", "default")


def half_upload(daemon, data, whole, start=0):
    """Sends @data of an upload of @whole bytes, and hangs up. That is an end at once: what is still in the
    socket then may be lost, so @data is more than a socket holds."""
    with socket.socket(socket.AF_UNIX) as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 16)
        client.connect(str(daemon.socket))
        head = f"POST {at('upload')} HTTP/1.1\r\nHost: l\r\nContent-Length: {whole - start}\r\n"
        if start:
            head += f"Content-Range: bytes {start}-{whole - 1}/{whole}\r\n"
        client.sendall(head.encode() + b"\r\n" + data)


def how_far(daemon):
    """Bytes that are there of a broken upload, once it has ended."""
    state = wait_until(lambda: (answer := daemon.rest("GET", at("upload")).body)["busy"] is False and answer, 60,
                       "the broken upload has ended")
    return state["received"]


def test_resume(daemon):
    path, data = volume(daemon), os.urandom(8 * MIB)
    assert how_far(daemon) == 0
    half_upload(daemon, data[:3 * MIB], len(data))
    wait_until(lambda: how_far(daemon) > 0, 60, "what is there is told")
    there = how_far(daemon)
    assert there <= 3 * MIB and path.read_bytes()[:there] == data[:there]
    half_upload(daemon, data[there:there + MIB], len(data), there)
    wait_until(lambda: how_far(daemon) > there, 60, "more is there")
    there = how_far(daemon)
    answer = daemon.rest("POST", at("upload"), data[there:],
                         {"Content-Range": f"bytes {there}-{len(data) - 1}/{len(data)}"})
    assert answer.status == 200 and path.read_bytes() == data
    assert how_far(daemon) == 0
    assert json.loads(subprocess.run(["qemu-img", "info", "--output=json", path], check=True,
                                     stdout=subprocess.PIPE).stdout)["virtual-size"] == len(data)


def test_resume_after_a_kill(daemon):
    """The daemon was killed in the middle; a volume that was made anew is another one."""
    path, data = volume(daemon), os.urandom(24 * MIB)
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(daemon.socket))
        client.sendall(f"POST {at('upload')} HTTP/1.1\r\nHost: l\r\nContent-Length: {len(data)}\r\n\r\n".encode())
        client.sendall(data[:20 * MIB])
        wait_until(lambda: path.stat().st_size >= 18 * MIB, 60, "most of it is written")
        daemon.restart()
    there = how_far(daemon)
    assert 8 * MIB <= there <= 20 * MIB and path.read_bytes()[:there] == data[:there]
    half_upload(daemon, data[there:there + MIB], len(data), there)
    wait_until(lambda: how_far(daemon) > there, 60, "more is there")
    there = how_far(daemon)
    assert daemon.rest("POST", at("upload"), data[there:],
                       {"Content-Range": f"bytes {there}-{len(data) - 1}/{len(data)}"}).status == 200
    assert path.read_bytes() == data and how_far(daemon) == 0
    half_upload(daemon, data[:MIB], len(data))
    wait_until(lambda: how_far(daemon) > 0, 60, "what is there is told")
    daemon.lodge("vol-delete", "v.img", "default")
    volume(daemon)
    assert how_far(daemon) == 0 and not daemon.rest("POST", at("upload"), b"").body
