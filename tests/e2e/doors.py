"""What the tests of doors on the network use: a certificate authority, passwords, and ports that are free."""
import os
import pathlib
import re
import subprocess

from lodgetest import wait_until

CA = """cn = "{name}"
ca
cert_signing_key
crl_signing_key
expiration_days = 1000
"""
LEAF = """organization = "Lodge"
cn = "{name}"
dns_name = "localhost"
ip_address = "127.0.0.1"
tls_www_server
tls_www_client
signing_key
encryption_key
expiration_days = 1000
"""


def certtool(*words):
    subprocess.run(["certtool", *map(str, words)], check=True, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)


class Authority:
    """A folder with a CA of its own; signs certificates into folders that libvirt's clients take."""

    def __init__(self, folder, name="Test CA"):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir()
        self.key, self.cert = self.folder / "cakey.pem", self.folder / "cacert.pem"
        template = self.folder / "ca.info"
        template.write_text(CA.format(name=name))
        certtool("--generate-privkey", "--key-type", "rsa", "--bits", "2048", "--outfile", self.key)
        certtool("--generate-self-signed", "--load-privkey", self.key, "--template", template, "--outfile",
                 self.cert)

    def sign(self, name, kind="client"):
        """A folder with cacert.pem, KINDcert.pem and KINDkey.pem."""
        folder = self.folder / name
        folder.mkdir()
        (folder / "cacert.pem").write_bytes(self.cert.read_bytes())
        (folder / "info").write_text(LEAF.format(name=name))
        key, cert = folder / f"{kind}key.pem", folder / f"{kind}cert.pem"
        certtool("--generate-privkey", "--key-type", "rsa", "--bits", "2048", "--outfile", key)
        certtool("--generate-certificate", "--load-privkey", key, "--load-ca-certificate", self.cert,
                 "--load-ca-privkey", self.key, "--template", folder / "info", "--outfile", cert)
        return folder

    def revoke(self, folder):
        """A list of revoked certificates that has the one in @folder; returns its path."""
        info, crl = self.folder / "crl.info", self.folder / "crl.pem"
        info.write_text("crl_next_update = 1000\ncrl_number = 1\n")
        certtool("--generate-crl", "--load-ca-privkey", self.key, "--load-ca-certificate", self.cert,
                 "--load-certificate", folder / "clientcert.pem", "--template", info, "--outfile", crl)
        return crl


def tls_lines(server):
    """Configuration for TLS on any free port, with the certificates in @server."""
    return (f'listen_tls = 1\nlisten_addr = "127.0.0.1"\ntls_port = "0"\n'
            f'ca_file = "{server}/cacert.pem"\ncert_file = "{server}/servercert.pem"\n'
            f'key_file = "{server}/serverkey.pem"\n')


def configure(daemon, text):
    """Writes the daemon's configuration, before it starts."""
    (daemon.root / "etc").mkdir(exist_ok=True, mode=0o711)
    (daemon.root / "etc" / "lodge.conf").write_text(text)


def port_of(daemon, way):
    """The port that the daemon says it listens at."""
    said = re.compile(rf"may come by {way} at [0-9.]+;(\d+)")
    log = daemon.root / "log" / "lodge.log"
    return int(wait_until(lambda: said.search(log.read_text()), 60, f"it listens for {way}")[1])


class Passwords:
    """A folder of libsasl2's settings with a database of people; daemons get it by environment."""

    def __init__(self, folder, mechanisms):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir()
        self.database = self.folder / "people.db"
        (self.folder / "libvirt.conf").write_text(f"mech_list: {mechanisms}\npwcheck_method: auxprop\n"
                                                  f"auxprop_plugin: sasldb\nsasldb_path: {self.database}\n")
        # OpenSSL, which libsasl2's modules load, leaves some memory behind
        (self.folder / "leaks").write_text("leak:libcrypto\nleak:libsasl2\n")
        self.environment = {"SASL_CONF_PATH": str(self.folder),
                            "LSAN_OPTIONS": f"suppressions={self.folder}/leaks:print_suppressions=0"}

    def add(self, name, password):
        subprocess.run(["saslpasswd2", "-p", "-c", "-a", "libvirt", "-f", self.database, name],
                       input=password.encode(), check=True, stdout=subprocess.DEVNULL)

    def login(self, name, password):
        """A file that tells libvirt's clients name and password."""
        path = self.folder / f"auth-{name}-{password}"
        path.write_text(f"[credentials-test]\nauthname={name}\nusername={name}\npassword={password}\n"
                        "[auth-libvirt-default]\ncredentials=test\n")
        return path


def virsh_at(address, *words, timeout=60, **environment):
    """`virsh -c ADDRESS WORDS`; returns (exit code, what it printed)."""
    done = subprocess.run(["virsh", "-q", "-c", address, *words], text=True, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=timeout,
                          env={**os.environ, "LC_ALL": "C", **environment})
    print(done.stdout)
    return done.returncode, done.stdout
