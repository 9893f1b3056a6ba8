"""`image import`: files and addresses, gone on with after an interruption, judged by checksum and header."""
import contextlib
import hashlib
import http.server
import json
import subprocess
import threading


class Handler(http.server.BaseHTTPRequestHandler):
    """Files of a dict, with ranges; counts what it sent."""

    def do_GET(self):
        if self.path.startswith("/to/"):
            self.send_response(302)
            self.send_header("Location", self.path[3:])
            self.end_headers()
            return
        wanted = self.headers.get("Range")
        cut = self.path.startswith("/cut/") and not wanted
        body = self.server.files.get(self.path.removeprefix("/cut"))
        self.server.ranges.append(wanted)
        if body is None:
            self.send_error(404)
            return
        if self.headers.get("If-Range") not in (None, self.server.etag):
            wanted = None
        start = int(wanted.split("=")[1].split("-")[0]) if wanted else 0
        if start >= len(body):
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(body) - start + self.server.lie))
        if self.server.etag:
            self.send_header("ETag", self.server.etag)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body[start:len(body) // 2 if cut else None])

    do_HEAD = do_GET

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def served(files):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.files, server.ranges, server.etag, server.lie = files, [], None, 0
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server, f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def make(path, *words):
    subprocess.run(["qemu-img", "create", "-q", *words, str(path), "4M"], check=True)
    return path.read_bytes()


def test_import(daemon, tmp_path):
    good = make(tmp_path / "good.qcow2", "-f", "qcow2", "-o", "preallocation=full")
    bad = make(tmp_path / "bad.qcow2", "-f", "qcow2", "-u", "-b", "/etc/shadow", "-F", "raw")
    sums = hashlib.sha256(good).hexdigest()
    images = daemon.root / "images"

    def refused(*words, says):
        before = sorted(images.iterdir())
        answer = daemon.lodge("image", "import", *words, ok=False)
        assert says in answer.err, answer
        assert sorted(images.iterdir()) == before, answer

    with served({"/good.qcow2": good, "/bad.qcow2": bad, "/page.qcow2": b"<html>" * 100,
                 "/SHA256SUMS": f"{'0' * 64}  other\n{sums} *good.qcow2\n".encode(),
                 "/good.qcow2.sha256": f"{sums}  good-Build7.qcow2\n".encode(),
                 "/WRONG": f"SHA256 (good.qcow2) = {'0' * 64}\n".encode(), "/OTHER": b"1  other\n",
                 }) as (server, at):
        daemon.lodge("image", "import", f"{at}/good.qcow2", "--checksum", f"sha256:{sums}")
        assert (images / "good.qcow2").read_bytes() == good
        refused(f"{at}/good.qcow2", says="exists already")
        refused(f"{at}/good.qcow2", "--name", "x", "--checksum", "sha256:" + "0" * 64, says="checksum")
        refused(f"{at}/good.qcow2", "--name", "x", "--checksum", "md5:1", says="no checksum")
        refused(f"{at}/bad.qcow2", says="/etc/shadow")
        refused(f"{at}/page.qcow2", says="no disk image")
        refused(f"{at}/none.qcow2", says="404")
        refused(f"{at}/good.qcow2", "--name", "../x", says="no name")
        # what was fetched before is gone on with
        (images / ".half.part").write_bytes(good[:100000])
        server.ranges.clear()
        daemon.lodge("image", "import", f"{at}/good.qcow2", "--name", "half", "--checksum", sums)
        assert "bytes=100000-" in server.ranges
        assert (images / "half.qcow2").read_bytes() == good and not (images / ".half.part").exists()
        # also where all of it is there; a server that breaks off; one that sends elsewhere
        (images / ".all.part").write_bytes(good)
        daemon.lodge("image", "import", f"{at}/good.qcow2", "--name", "all", "--checksum", sums)
        assert (images / "all.qcow2").read_bytes() == good
        daemon.lodge("image", "import", f"{at}/cut/good.qcow2", "--name", "cut", "--checksum", sums, ok=False)
        assert not (images / "cut.qcow2").exists()
        daemon.lodge("image", "import", f"{at}/cut/good.qcow2", "--name", "cut", "--checksum", sums)
        assert (images / "cut.qcow2").read_bytes() == good
        daemon.lodge("image", "import", f"{at}/to/good.qcow2", "--name", "to", "--checksum", sums)
        assert (images / "to.qcow2").read_bytes() == good
        # one's own catalog, with a list of checksums
        (daemon.root / "etc" / "images.json").write_text(json.dumps([
            {"name": "mine", "os": "Mine 1", "address": f"{at}/good.qcow2",
             "checksum_from": f"{at}/SHA256SUMS"},
            {"name": "beside", "os": "By a link", "address": f"{at}/good.qcow2",
             "checksum_from": f"{at}/good.qcow2.sha256"},
            {"name": "wrong", "os": "Wrong 1", "address": f"{at}/good.qcow2", "checksum_from": f"{at}/WRONG"},
            {"name": "unlisted", "os": "No sum", "address": f"{at}/good.qcow2", "checksum_from": f"{at}/OTHER"}]))
        listed = daemon.lodge("image", "catalog").out
        assert "Mine 1" in listed
        for name in ("debian", "ubuntu", "fedora", "almalinux", "centos-stream", "opensuse", "arch",
                     "alpine"):
            assert name in listed
        assert "checksum is right" in daemon.lodge("image", "import", "mine").out
        assert (images / "mine.qcow2").read_bytes() == good
        assert "checksum is right" in daemon.lodge("image", "import", "beside").out
        refused("wrong", says="checksum")
        refused("unlisted", says="good.qcow2")
    daemon.lodge("image", "import", str(tmp_path / "good.qcow2"), "--name", "file")
    assert (images / "file.qcow2").read_bytes() == good
    refused(str(tmp_path / "bad.qcow2"), says="/etc/shadow")
    refused("nosuch", says="catalog")


def test_servers_that_change_their_mind(daemon, tmp_path):
    """No image is made of parts of two files, whatever the server says; two who fetch one do not mix it."""
    old = make(tmp_path / "old.qcow2", "-f", "qcow2", "-o", "preallocation=full")
    new = old[:-65536] + b"new" * 20000 + old[-5536:]
    images = daemon.root / "images"

    def fetch(at, name, *words, ok=True):
        return daemon.lodge("image", "import", f"{at}/cut/a.qcow2", "--name", name, *words, ok=ok)

    with served({"/a.qcow2": old}) as (server, at):
        for name, etags, digest in (("tagged", ('"1"', '"2"'), None), ("weak", ('W/"1"', 'W/"1"'), None),
                                    ("untold", (None, None), None), ("summed", (None, None), new)):
            words = ("--checksum", hashlib.sha256(digest).hexdigest()) if digest else ()
            server.files["/a.qcow2"], server.etag = old, etags[0]
            fetch(at, name, *words, ok=False)
            assert (images / f".{name}.part").exists()
            assert ".part.head" not in daemon.lodge("vol-list", "default").out
            server.files["/a.qcow2"], server.etag = new, etags[1]
            daemon.lodge("image", "import", f"{at}/a.qcow2", "--name", name, *words)
            assert (images / f"{name}.qcow2").read_bytes() == new
        # the same file: only the rest is asked for
        server.etag = '"3"'
        fetch(at, "same", ok=False)
        server.ranges.clear()
        fetch(at, "same")
        assert server.ranges == [f"bytes={len(new) // 2}-"]
        assert (images / "same.qcow2").read_bytes() == new
        # a length that is not so: there is no rest
        server.lie = 4096
        daemon.lodge("image", "import", f"{at}/a.qcow2", "--name", "lie", ok=False)
        server.lie = 0
        daemon.lodge("image", "import", f"{at}/a.qcow2", "--name", "lie")
        assert (images / "lie.qcow2").read_bytes() == new
    assert not [path for path in images.iterdir() if ".part" in path.name]
