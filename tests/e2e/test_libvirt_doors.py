"""libvirt's doors on the network: TLS with certificates, SASL with passwords, TCP, and who is kept out."""
import contextlib
import os
import shutil
import socket
import ssl
import struct
import subprocess

import pytest

from doors import Authority, Passwords, configure, port_of, tls_lines, virsh_at
from lodgetest import LODGE, wait_until

pytestmark = pytest.mark.skipif(not shutil.which("certtool") or not shutil.which("saslpasswd2"),
                                reason="needs gnutls-bin and sasl2-bin")
HEADER = struct.Struct(">IIIIIII")


def message(procedure, payload=b"", serial=1):
    return HEADER.pack(28 + len(payload), 0x20008086, 1, procedure, 0, serial, 0) + payload


def uri(way, port, **options):
    words = "&".join(f"{key}={value}" for key, value in options.items())
    return f"qemu+{way}://localhost:{port}/system?{words}"


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("pki") / "ca")


@pytest.fixture(scope="module")
def server(authority):
    return authority.sign("localhost", "server")


@pytest.fixture(scope="module")
def client(authority):
    return authority.sign("admin")


def read_message(sock):
    data = b""
    while len(data) < 4 or len(data) < struct.unpack(">I", data[:4])[0]:
        more = sock.recv(65536)
        if not more:
            return None
        data += more
    return data


def test_tls(make_daemon, authority, server, client, tmp_path_factory):
    stranger = Authority(tmp_path_factory.mktemp("other") / "ca", "Another CA").sign("admin")
    shutil.copy(authority.cert, stranger / "cacert.pem")
    daemon = make_daemon()
    configure(daemon, tls_lines(server) + 'tls_allowed_dn_list = ["*CN=admin*", "*CN=nobody*"]\n')
    daemon.start()
    port = port_of(daemon, "TLS")
    daemon.define("web1", boot=False)
    code, said = virsh_at(uri("tls", port, pkipath=client), "list", "--all", "--name")
    assert (code, said.strip()) == (0, "web1")
    assert virsh_at(uri("tls", port, pkipath=client), "autostart", "web1")[0] == 0
    wait_until(lambda: "autostart by O=Lodge,CN=admin (libvirt)" in daemon.said(), 60,
               "who did it is in the log")
    # answers of more than one TLS record
    code, said = virsh_at(uri("tls", port, pkipath=client), "domcapabilities")
    assert code == 0 and "</domainCapabilities>" in said
    for folder in (stranger, authority.sign("other")):
        code, said = virsh_at(uri("tls", port, pkipath=folder), "list")
        assert code != 0, said
    assert virsh_at(uri("tls", port, pkipath=client), "list")[0] == 0
    wait_until(lambda: "was not let in" in daemon.said(), 60, "who was not let in is in the log")


def test_tls_revoked(make_daemon, authority, server, client):
    """A list of revoked certificates counts without a restart."""
    gone = authority.sign("gone")
    daemon = make_daemon()
    crl = authority.revoke(authority.sign("first"))
    configure(daemon, tls_lines(server) + f'crl_file = "{crl}"\n')
    daemon.start()
    port = port_of(daemon, "TLS")
    assert virsh_at(uri("tls", port, pkipath=gone), "list")[0] == 0
    authority.revoke(gone)
    assert virsh_at(uri("tls", port, pkipath=gone), "list")[0] != 0
    assert virsh_at(uri("tls", port, pkipath=client), "list")[0] == 0


def test_sasl_over_tls(make_daemon, tmp_path, server, client):
    people = Passwords(tmp_path / "sasl", "scram-sha-256")
    people.add("ann", "secret")
    people.add("bob", "secret")
    daemon = make_daemon(**people.environment)
    configure(daemon, tls_lines(server) + 'auth_tls = "sasl"\nsasl_allowed_username_list = ["ann*"]\n')
    daemon.start()
    port = port_of(daemon, "TLS")

    def login(name, password):
        return virsh_at(uri("tls", port, pkipath=client, authfile=people.login(name, password)), "uri")

    assert login("ann", "secret")[0] == 0
    for name, password in (("ann", "wrong"), ("bob", "secret"), ("eve", "secret")):
        code, said = login(name, password)
        assert code != 0 and "authentication failed" in said
    assert login("ann", "secret")[0] == 0


def test_tcp_with_encryption_of_sasl(make_daemon, tmp_path):
    """SASL's own encryption carries everything after the login, large answers too."""
    people = Passwords(tmp_path / "sasl", "digest-md5 scram-sha-256 plain")
    people.add("ann", "secret")
    daemon = make_daemon(**people.environment)
    configure(daemon, 'listen_tcp = 1\ntcp_port = "0"\nlisten_addr = "127.0.0.1"\n')
    daemon.start()
    port = port_of(daemon, "TCP")
    address = uri("tcp", port, authfile=people.login("ann", "secret"))
    code, said = virsh_at(address, "domcapabilities")
    assert code == 0 and "</domainCapabilities>" in said, said
    assert virsh_at(uri("tcp", port, authfile=people.login("ann", "wrong")), "uri")[0] != 0
    # a mechanism without encryption is not offered here
    with socket.create_connection(("127.0.0.1", port)) as sock:
        sock.sendall(message(66))
        assert read_message(sock)[28:] == struct.pack(">II", 1, 1)
        sock.sendall(message(67))
        mechanisms = read_message(sock)[32:].rstrip(b"\0").decode().split(",")
        assert mechanisms == ["DIGEST-MD5"]


def test_anonymous_clients_can_do_nothing(make_daemon, tmp_path):
    people = Passwords(tmp_path / "sasl", "digest-md5")
    daemon = make_daemon(**people.environment)
    configure(daemon, 'listen_tcp = 1\ntcp_port = "0"\nlisten_addr = "127.0.0.1"\n'
                      "max_anonymous_clients = 3\n")
    daemon.start()
    port = port_of(daemon, "TCP")

    def connect():
        return socket.create_connection(("127.0.0.1", port))

    with connect() as sock:
        for procedure in (1, 2, 60, 157, 273, 70, 0, 9999):
            sock.sendall(message(procedure, b"\0" * 8 if procedure in (1, 273) else b""))
            assert struct.unpack(">I", read_message(sock)[24:28])[0] == 1, procedure  # an error
    # more than a login needs is not even read
    with connect() as sock:
        sock.sendall(HEADER.pack(1 << 20, 0x20008086, 1, 68, 0, 1, 0))
        assert read_message(sock) is None
    # a step that was not begun, three times
    with connect() as sock:
        for _ in range(3):
            sock.sendall(message(69, struct.pack(">II", 1, 0)))
            assert read_message(sock) is not None
        assert read_message(sock) is None
    # pipelined steps wait for each other
    with connect() as sock:
        sock.sendall(message(67) * 30)
        with contextlib.suppress(OSError):
            while read_message(sock):
                pass
    # the one that has waited longest makes room
    first = connect()
    others = [connect() for _ in range(3)]
    assert read_message(first) is None
    others[-1].sendall(message(66))
    assert read_message(others[-1]) is not None
    for sock in (first, *others):
        sock.close()
    assert daemon.lodge("list").code == 0


def test_tls_of_bad_clients(make_daemon, server, client):
    """Garbage, silence, half a handshake, death in the middle: others are served."""
    daemon = make_daemon()
    configure(daemon, tls_lines(server) + "max_anonymous_clients = 10\n")
    daemon.start()
    port = port_of(daemon, "TLS")
    kept = []
    for start in (b"", b"\x16\x03\x01", b"GET / HTTP/1.0\r\n\r\n", message(66), b"\x16\x03\x01\x40\x00" * 3,
                  b"\x15\x03\x01\x00\x02\x01\x00" * 1000):
        for dies in (False, True):
            sock = socket.create_connection(("127.0.0.1", port))
            with contextlib.suppress(OSError):
                sock.sendall(start)
            if dies:
                sock.close()
            else:
                kept.append(sock)
    assert virsh_at(uri("tls", port, pkipath=client), "uri")[0] == 0
    many = [socket.create_connection(("127.0.0.1", port)) for _ in range(300)]
    assert virsh_at(uri("tls", port, pkipath=client), "uri")[0] == 0
    # a message of an impossible length, and one in crumbs, inside TLS
    context = ssl.create_default_context(cafile=client / "cacert.pem")
    context.load_cert_chain(client / "clientcert.pem", client / "clientkey.pem")

    def connect():
        sock = context.wrap_socket(socket.create_connection(("127.0.0.1", port)),
                                   server_hostname="localhost")
        assert sock.recv(1) == b"\1"
        return sock

    with connect() as sock:
        for byte in message(66):
            sock.sendall(bytes([byte]))
        assert read_message(sock)[28:] == struct.pack(">II", 1, 0)
        sock.sendall(message(66) * 1000)  # more than one record at once
        answers = 0
        rest = b""
        while answers < 1000:
            rest += sock.recv(65536)
            answers, rest = answers + len(rest) // 36, rest[len(rest) // 36 * 36:]
    with connect() as sock:
        sock.sendall(HEADER.pack(0x7FFFFFFF, 0x20008086, 1, 66, 0, 1, 0))
        with contextlib.suppress(OSError):  # or an abrupt end
            assert not sock.recv(1)
    for sock in kept + many:
        sock.close()
    assert daemon.lodge("list").code == 0


def test_silent_handshake_ends(make_daemon, server):
    daemon = make_daemon()
    configure(daemon, tls_lines(server))
    daemon.start()
    with socket.create_connection(("127.0.0.1", port_of(daemon, "TLS"))) as sock:
        sock.settimeout(120)
        assert sock.recv(1) == b""


def test_what_cannot_be_is_said_at_the_start(make_daemon):
    for text, says in (("listen_tls = 1\nca_file = \"/does/not/exist\"\n", "/does/not/exist"),
                       ("listen_tcp = 1\ntcp_port = \"no such port\"\n", "no such port"),
                       ("auth_tcp = \"polkit\"\n", "polkit")):
        daemon = make_daemon()
        configure(daemon, text)
        done = subprocess.run([LODGE, "daemon", "--root", daemon.root], env=daemon.env, text=True,
                              stderr=subprocess.PIPE, timeout=60)
        assert done.returncode != 0 and says in done.stderr


SSH = """#!/bin/sh
# stands for ssh: what follows the host is for the shell over there
while [ "$1" != -- ]; do shift; done
shift 2
LODGE_ROOT={root} exec sh -c "$*"
"""


@pytest.mark.parametrize("read_only", [False, True])
def test_ssh(daemon, tmp_path, read_only):
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "virt-ssh-helper").symlink_to(LODGE)
    ssh = tmp_path / "ssh"
    ssh.write_text(SSH.format(root=daemon.root))
    ssh.chmod(0o755)
    daemon.define("web1", boot=False)
    environment = {**daemon.env, "PATH": f"{tmp_path}/bin:{os.environ['PATH']}"}
    address = f"qemu+ssh://somewhere/system?command={ssh}"
    options = ["-r"] if read_only else []
    code, said = virsh_at(address, *options, "list", "--all", "--name", **environment)
    assert (code, said.strip()) == (0, "web1")
    code, said = virsh_at(address, *options, "undefine", "web1", **environment)
    assert (code != 0) == read_only, said
    done = subprocess.run([tmp_path / "bin" / "virt-ssh-helper", f"qemu:///system?socket={tmp_path}/none"],
                          stderr=subprocess.PIPE, text=True)
    assert done.returncode != 0 and "none" in done.stderr


def test_tls_clients_that_do_not_read(make_daemon, server, client):
    """One asks for much and reads nothing, one dies in the middle of a stream: others are served."""
    daemon = make_daemon()
    configure(daemon, tls_lines(server))
    daemon.start()
    port = port_of(daemon, "TLS")
    daemon.define("web1", boot=False)
    daemon.lodge("start", "web1")
    context = ssl.create_default_context(cafile=client / "cacert.pem")
    context.load_cert_chain(client / "clientcert.pem", client / "clientkey.pem")

    def connect():
        sock = context.wrap_socket(socket.create_connection(("127.0.0.1", port)), server_hostname="localhost")
        assert sock.recv(1) == b"\1"
        sock.sendall(message(66) + message(1, struct.pack(">II", 0, 0)))
        assert read_message(sock)
        return sock

    greedy = connect()
    greedy.settimeout(1)
    with contextlib.suppress(OSError):  # it is not read any more, at some point
        for _ in range(10000):
            greedy.sendall(message(342, struct.pack(">IIIII", 0, 0, 0, 0, 0)))
    domain = read_domain(daemon)
    for _ in range(20):
        streamer = connect()
        streamer.sendall(message(201, domain + struct.pack(">II", 0, 1)))
        streamer.close()
    assert virsh_at(uri("tls", port, pkipath=client), "list", "--name")[1].strip() == "web1"
    greedy.close()


def read_domain(daemon):
    """The guest web1 as it travels: name, uuid, id."""
    uuid = daemon.lodge("domuuid", "web1").out.strip().replace("-", "")
    return struct.pack(">I4s", 4, b"web1") + bytes.fromhex(uuid) + struct.pack(">i", 1)


def test_session_folder(make_daemon):
    """libvirt-folder = auto is where the clients of a person look."""
    if os.geteuid() == 0 and not shutil.which("setpriv"):
        pytest.skip("needs setpriv")
    person = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] if os.geteuid() == 0 else []
    daemon = make_daemon()
    runtime = daemon.root / "xdg"
    runtime.mkdir()
    daemon.env.update(XDG_RUNTIME_DIR=str(runtime), HOME=str(daemon.root), XDG_CACHE_HOME=str(daemon.root))
    configure(daemon, "libvirt-folder = auto\n")
    for path in (daemon.root, daemon.root / "etc", daemon.root / "etc/lodge.conf", daemon.root / "san", runtime):
        if person:
            os.chown(path, 65534, 65534)
    with open(daemon.root / "daemon.err", "ab") as log:
        daemon.process = subprocess.Popen([*person, LODGE, "daemon", "--root", daemon.root], env=daemon.env,
                                          stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    wait_until((runtime / "libvirt" / "libvirt-sock").exists, 60, "the session's socket is there")
    done = subprocess.run([*person, "virsh", "-c", "qemu:///session", "uri"], env=daemon.env, text=True,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60)
    assert "qemu:///session" in done.stdout, done.stdout
    assert (runtime / "libvirt" / "libvirt-sock").stat().st_mode & 0o777 == 0o600
