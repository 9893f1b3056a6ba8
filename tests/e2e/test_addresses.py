"""Addresses of guests: events when they come, change and go, names that resolve on the host, forwards that
follow, and what virsh shows of them."""
import json
import re
import subprocess

import lodgetest
from lodgetest import wait_until
from nettest import net_daemon  # noqa: F401  (a fixture)

MAC = "52:54:00:00:08:01"
NETWORK = """<network><name>n</name><forward mode='nat'/><bridge name='br8' delay='0'/>
<ip address='10.78.8.1' netmask='255.255.255.0'><dhcp>
<range start='10.78.8.10' end='10.78.8.20'/></dhcp></ip></network>"""
NIC = f"<interface type='network'><mac address='{MAC}'/><source network='n'/><model type='virtio'/></interface>"


def resolve(daemon, *words):
    """getent's answer in a mount namespace with a nsswitch.conf that names our module."""
    conf = daemon.write("nsswitch.conf", "hosts: files lodge\n")
    script = (f"mount --bind {conf} /etc/nsswitch.conf && LODGE_NAMES={daemon.root}/run/names "
              f"LD_LIBRARY_PATH={lodgetest.BUILD}/nss exec getent {' '.join(words)}")
    done = subprocess.run(["unshare", "-m", "sh", "-c", script], text=True, timeout=60,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return done.stdout.split("\n")[0] if done.returncode == 0 else None


class Events:
    """Those of addresses, as they come."""

    def __init__(self, daemon):
        self.process = subprocess.Popen([lodgetest.LODGE, "--root", daemon.root, "events", "--event", "address"],
                                        env=daemon.env, text=True, stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE)

    def next(self):
        line = json.loads(self.process.stdout.readline())
        return line["event"], line["detail"], line["data"]["address"], line["data"]["mac"], line["domain"]

    def close(self):
        self.process.kill()
        self.process.wait()


def virsh(daemon, line):
    done = subprocess.run(["virsh", "-c", f"qemu:///system?socket={daemon.root}/run/libvirt-sock", line],
                          text=True, timeout=90, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    return done.stdout


def as_virsh(daemon, line):
    """The same line, by the command under virsh's name."""
    link = daemon.root / "virsh"
    if not link.exists():
        link.symlink_to(lodgetest.LODGE)
    done = subprocess.run([link, line], env={**daemon.env, "LODGE_ROOT": str(daemon.root)}, text=True, timeout=90,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    return done.stdout


def test_addresses(net_daemon):
    net_daemon.lodge("net-define", net_daemon.write("n.xml", NETWORK))
    net_daemon.lodge("net-start", "n")
    net_daemon.define("Web-1", devices=NIC)
    net_daemon.lodge("port-forward", "Web-1", "8080:80")
    said = net_daemon.lodge("wait", "Web-1", "--ip", "--timeout", "1", ok=False).err
    assert "not within" in said
    net_daemon.lodge("start", "Web-1")
    events = Events(net_daemon)
    try:
        console = net_daemon.console("Web-1")
        console.send("\r")
        console.expect(lodgetest.PROMPT)
        assert resolve(net_daemon, "hosts", "web-1.lodge") is None
        first = re.search(r"10\.78\.8\.1\d|10\.78\.8\.20", console.run("net-up")).group()
        assert events.next() == ("added", "lease", first, MAC, "Web-1")
        net_daemon.lodge("wait", "Web-1", "--ip", "--timeout", "60")
        check_names(net_daemon, first)
        for line in ("domifaddr Web-1", "domifaddr Web-1 --source lease --full", "net-dhcp-leases n",
                     "domifaddr Web-1 --interface vnet0", "domifaddr Web-1 --interface eth9",
                     f"net-dhcp-leases n --mac {MAC}", "net-dhcp-leases n --mac 52:54:00:00:09:99",
                     "domifaddr Web-1 --source arp", "domifaddr Web-1 --source agent"):
            assert as_virsh(net_daemon, line) == virsh(net_daemon, line), line
        assert re.search(rf"\d\d:\d\d:\d\d +{MAC} +ipv4 +{first}/24 +\S+ +\S+", virsh(net_daemon, "net-dhcp-leases n"))

        net_daemon.lodge("net-update", "n", "add", "ip-dhcp-host", f"<host mac='{MAC}' ip='10.78.8.77'/>", "--live")
        console.run("ip addr flush dev eth0; net-up; { while true; do echo HELLO | nc -l -p 80; done >/dev/null 2>&1 & }")
        told = {events.next()[::2], events.next()[::2]}
        assert told == {("removed", first, "Web-1"), ("added", "10.78.8.77", "Web-1")}
        assert resolve(net_daemon, "hosts", "Web-1.LODGE.").split()[0] == "10.78.8.77"
        wait_until(lambda: "HELLO" in net_daemon.sh("timeout 5 busybox nc -w 3 127.0.0.1 8080 < /dev/null", ok=False),
                   60, "the forward leads to the new address")
        net_daemon.lodge("destroy", "Web-1")
        assert events.next()[0] == "removed"
        wait_until(lambda: resolve(net_daemon, "hosts", "web-1.lodge") is None, 60, "the name is gone")
        net_daemon.kill()
        net_daemon.write("run/names", "10.78.8.77 web-1.lodge\n")
        net_daemon.start()
        wait_until(lambda: resolve(net_daemon, "hosts", "web-1.lodge") is None, 60, "nor is an old one kept")
    finally:
        events.close()
    net_daemon.lodge("net-destroy", "n")


def check_names(daemon, address):
    """Both ways, and nothing but what is ours."""
    assert resolve(daemon, "hosts", "web-1.lodge").split() == [address, "web-1.lodge"]
    assert resolve(daemon, "ahosts", "WEB-1.lodge").split()[0] == address
    assert resolve(daemon, "hosts", address).split() == [address, "web-1.lodge"]
    for other in "web-1", "web-12.lodge", "eb-1.lodge", ".lodge", "10.78.8.99", "x" * 300 + ".lodge":
        assert resolve(daemon, "hosts", other) is None, other
