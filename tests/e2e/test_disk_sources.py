"""Disks whose data is elsewhere, each with a real server: QEMU reaches it as the definition says."""
import contextlib
import http.server
import os
import pathlib
import signal
import subprocess
import threading

import pytest

from lodgetest import READY, end, wait_until

DISK = """<disk type='{type}' device='{device}'><driver name='qemu' type='{format}'/>{source}
<target dev='{target}' bus='{bus}'/>{more}</disk>"""


def disk(source, type="network", format="raw", target="vda", bus="virtio", device="disk", more=""):
    return DISK.format(type=type, source=source, format=format, target=target, bus=bus, more=more, device=device)


@contextlib.contextmanager
def running(*words, until=None, **options):
    """A server while the block lasts; @until: a file that says it is there."""
    process = subprocess.Popen([str(word) for word in words], stdin=subprocess.DEVNULL, **options)
    try:
        if until:
            wait_until(lambda: pathlib.Path(until).exists() or process.poll() is not None, 30, f"{words[0]} runs")
        yield process
    finally:
        process.kill()
        process.wait()


# ---- nbd by TLS ----

def certificates(folder, name):
    """An authority, and a server @name and a client that it knows."""
    def tool(*words, template):
        (folder / "template").write_text(template)
        subprocess.run(["certtool", *words, "--template", "template"], cwd=folder, check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    folder.mkdir(parents=True)
    for who in ("ca", "server", "client"):
        subprocess.run(["certtool", "--generate-privkey", "--key-type", "ecdsa", "--outfile", f"{who}-key.pem"],
                       cwd=folder, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    tool("--generate-self-signed", "--load-privkey", "ca-key.pem", "--outfile", "ca-cert.pem",
         template="cn = test\nca\ncert_signing_key\nexpiration_days = 30\n")
    for who, use in (("server", f"cn = {name}\ndns_name = {name}\ntls_www_server"), ("client", "cn = me\ntls_www_client")):
        tool("--generate-certificate", "--load-privkey", f"{who}-key.pem", "--load-ca-certificate", "ca-cert.pem",
             "--load-ca-privkey", "ca-key.pem", "--outfile", f"{who}-cert.pem",
             template=f"{use}\nencryption_key\nsigning_key\nexpiration_days = 30\n")


@contextlib.contextmanager
def nbd_server(daemon, tmp_path):
    """A server of NBD that takes who has a certificate; the block gets a function that makes a disk's source."""
    image, socket = tmp_path / "nbd.img", daemon.root / "nbd.sock"
    image.write_bytes(b"over TLS" + bytes(1 << 20))
    certificates(tmp_path / "tls", "nbd.example.org")
    with running("qemu-nbd", "-t", "-x", "e", "-f", "raw", "-k", socket, "--object",
                 f"tls-creds-x509,id=t,endpoint=server,verify-peer=on,dir={tmp_path}/tls", "--tls-creds", "t", image,
                 until=socket):
        socket.chmod(0o666)
        yield (f"<source protocol='nbd' name='e' tls='yes' tlsHostname='{{}}'>"
               f"<host transport='unix' socket='{socket}'/><reconnect delay='5'/></source>").format


def test_nbd_refusals(daemon, tmp_path):
    with nbd_server(daemon, tmp_path) as source:
        daemon.define("web1", boot=False, devices=disk(source("other.example.org")))
        said = daemon.lodge("start", "web1", ok=False).err
        assert "ca-cert.pem" in said and "client-key.pem" in said  # none there yet, and where
        give_certificates(daemon, tmp_path)
        assert "other.example.org" in daemon.lodge("start", "web1", ok=False).err  # the server is somebody else


def give_certificates(daemon, tmp_path):
    own = daemon.root / "etc" / "pki" / "nbd"
    own.mkdir(parents=True)
    for name in ("ca-cert.pem", "client-cert.pem", "client-key.pem"):
        (own / name).write_bytes((tmp_path / "tls" / name).read_bytes())
        (own / name).chmod(0o600)  # QEMU's account may not read them, and need not


# ---- http with cookies ----

class Shop(http.server.BaseHTTPRequestHandler):
    """Gives its bytes to whoever has the cookies, in the ranges that are asked for."""
    protocol_version, data = "HTTP/1.1", b"by a cookie" + bytes(1 << 16)

    def log_message(self, *_):
        pass

    def do_HEAD(self):
        self.answer(False)

    def do_GET(self):
        self.answer(True)

    def answer(self, body):
        if self.headers.get("Cookie") != 'session=a1; mode="x"':
            self.send_error(403)
            return
        first, last = 0, len(self.data) - 1
        wanted = self.headers.get("Range")
        if wanted:
            first, last = (int(word) for word in wanted.removeprefix("bytes=").split("-"))
            last = min(last, len(self.data) - 1)
        self.send_response(206 if wanted else 200)
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(last - first + 1))
        if wanted:
            self.send_header("Content-Range", f"bytes {first}-{last}/{len(self.data)}")
        self.end_headers()
        if body:
            self.wfile.write(self.data[first:last + 1])


@contextlib.contextmanager
def http_server():
    """Its port, for the block."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Shop)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()


COOKIES = "<cookies><cookie name='session'>a1</cookie><cookie name='mode'>\"x\"</cookie></cookies>"


def http_source(port, cookies=COOKIES):
    return f"<source protocol='http' name='a.img'><host name='127.0.0.1' port='{port}'/>{cookies}" \
           "<readahead size='65536'/><timeout seconds='20'/></source>"


def test_http_refusal(daemon):
    with http_server() as port:
        daemon.define("web1", boot=False, devices=disk(http_source(port, ""), more="<readonly/>"))
        assert "403" in daemon.lodge("start", "web1", ok=False).err


# ---- a server of vhost-user, a part of a file ----

@contextlib.contextmanager
def vhost_server(daemon, tmp_path):
    """A disk that another process has; the block gets its source."""
    (tmp_path / "user.img").write_bytes(b"from the server" + bytes(1 << 20))
    socket = daemon.root / "blk.sock"
    with running("qemu-storage-daemon", "--blockdev", f"driver=file,node-name=d,filename={tmp_path}/user.img",
                 "--export", f"type=vhost-user-blk,id=e,node-name=d,addr.type=unix,addr.path={socket},writable=on",
                 until=socket):
        socket.chmod(0o666)
        yield f"<source type='unix' path='{socket}'><reconnect enabled='yes' timeout='3'/></source>"


def sliced_image(tmp_path):
    """A file with a qcow2 image of 8 MiB in its middle."""
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", tmp_path / "part.qcow2", "8M"], check=True)
    whole = tmp_path / "whole.img"
    whole.write_bytes(bytes(65536) + (tmp_path / "part.qcow2").read_bytes() + bytes(4 << 20))
    return whole


def test_guest_of_all_servers(daemon, tmp_path):
    whole = sliced_image(tmp_path)
    before = whole.read_bytes()
    with nbd_server(daemon, tmp_path) as nbd, vhost_server(daemon, tmp_path) as user, http_server() as port:
        give_certificates(daemon, tmp_path)
        part = f"<source file='{whole}'><slices><slice type='storage' offset='65536' size='{4 << 20}'/></slices></source>"
        daemon.define("web1", extra="<memoryBacking><access mode='shared'/></memoryBacking>", devices="".join([
            disk(nbd("nbd.example.org")), disk(user, "vhostuser", target="vdb"),
            disk(part, "file", "qcow2", "vdc"), disk(http_source(port), target="vdd", more="<readonly/>")]))
        daemon.lodge("start", "web1")
        assert "session=a1" not in " ".join(daemon.processes().values())
        console = daemon.console("web1")
        console.expect(READY)
        said = console.run("for d in a b d; do head -c 15 /dev/vd$d; echo; done; cat /sys/block/vdc/size")
        for words in ("over TLS", "from the server", "by a cookie", "16384"):
            assert words in said
        console.run("echo here > /dev/vdc; sync")
        daemon.lodge("destroy", "web1")
    assert not list((daemon.root / "run").rglob("client-key.pem"))
    now = whole.read_bytes()
    assert now[:65536] == before[:65536] and now[65536:65540] == b"QFI\xfb" and now != before


# ---- reservations ----

def helper_of(daemon):
    """The pid of the process that listens for reservations; None: none."""
    pids = [pid for pid, words in daemon.processes().items() if words.split()[0].endswith("/qemu-pr-helper")]
    assert len(pids) < 2
    return pids[0] if pids else None


@pytest.mark.skipif(os.geteuid() != 0, reason="loop devices are made by root")
def test_reservations(daemon, tmp_path):
    """Their helper comes and goes with the guest, also where the daemon was killed meanwhile."""
    image = tmp_path / "disk.img"
    image.write_bytes(bytes(1 << 20))
    device = subprocess.run(["losetup", "-f", "--show", image], text=True, stdout=subprocess.PIPE).stdout.strip()
    if not device:
        pytest.skip("no loop devices here")
    try:
        source = f"<source dev='{device}'><reservations managed='yes'/></source>"
        daemon.define("web1", boot=False, devices=disk(source, "block", target="sda", bus="scsi"))
        daemon.lodge("start", "web1", "--paused")
        wait_until(lambda: helper_of(daemon), 60, "the helper runs")
        helper = helper_of(daemon)
        os.kill(helper, signal.SIGKILL)
        wait_until(lambda: helper_of(daemon) not in (helper, None), 60, "the helper is started again")
        helper = helper_of(daemon)
        daemon.kill()
        end(helper)
        daemon.start()
        wait_until(lambda: helper_of(daemon) not in (helper, None), 60, "the next daemon starts it, too")
        daemon.restart()
        assert helper_of(daemon)
        daemon.lodge("destroy", "web1")
        wait_until(lambda: not daemon.processes(), 60, "nothing of the guest is left")
    finally:
        subprocess.run(["losetup", "-d", device])
