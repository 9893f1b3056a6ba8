"""Bridges over NICs of the host, and libvirt's interface verbs, with real links: the daemon in network and mount
namespaces of its own with a configuration of its own, the peer of its NIC in another, pinging."""
import os
import pathlib
import shutil
import subprocess
import textwrap
import time

import pytest

import lodgetest
import nettest
from lodgetest import wait_until

INTERFACES = """\
# kept as it is\tbyte for byte
auto lo
iface lo inet loopback

auto eth0
iface eth0 inet static
    address 192.0.2.10/24
    gateway 192.0.2.1
    dns-nameservers 192.0.2.53
# behind it
"""

NETWORKD = """\
# the host's own
[Match]
Name=eth0

[Network]
Address=192.0.2.10/24
Gateway=192.0.2.1
DNS=192.0.2.53
Domains=example.org
IPv6AcceptRA=no
"""

# what the daemon's namespace gets: its own view of links, and an /etc and a /run that nobody else sees
PRIVATE = """
set -e
mount --make-rprivate /
mount -t sysfs -o ro none /sys
mount -t tmpfs none /run
mkdir -p /run/upper /run/work /run/network /run/dbus /run/systemd/netif/links /run/systemd/netif/leases \
    /run/systemd/netif/lldp
chown -R systemd-network /run/systemd/netif 2>/dev/null || true
mount -t overlay none -o lowerdir=/etc,upperdir=/run/upper,workdir=/run/work /etc
rm -rf /etc/network /etc/systemd/network /etc/NetworkManager
mkdir /etc/systemd/network
for d in if-pre-up.d if-up.d if-down.d if-post-down.d; do mkdir -p /etc/network/$d; done
ip link set lo up
echo
exec sleep inf
"""


class HostDaemon(nettest.NetDaemon):
    """A daemon on a host of its own, whose NIC eth0 leads to a peer."""

    def __init__(self, **environment):
        lodgetest.Daemon.__init__(self, **environment)
        self.daemons = []
        self.holder = self.hold("unshare", "-n", "-m", "sh", "-c", PRIVATE)
        self.peer = self.hold("unshare", "-n", "sh", "-c", "ip link set lo up; echo; exec sleep inf")
        self.sh(f"ip link add eth0 type veth peer name peer0 netns {self.peer.pid}")
        self.at_peer("ip link set peer0 up; ip addr add 192.0.2.1/24 dev peer0; ip addr add 198.51.100.1/32 dev lo")

    def hold(self, *words):
        holder = subprocess.Popen(words, env=self.env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        if not holder.stdout.readline():
            pytest.skip("needs mount namespaces, tmpfs and overlays")
        return holder

    def inside(self, *words):
        space = f"/proc/{self.holder.pid}/ns"
        return ["nsenter", f"--net={space}/net", f"--mount={space}/mnt", "--", *map(str, words)]

    def at_peer(self, script, ok=True):
        done = subprocess.run(["nsenter", f"--net=/proc/{self.peer.pid}/ns/net", "--", "sh", "-c", script], text=True,
                              timeout=60, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        assert not ok or done.returncode == 0, done.stdout
        return done.stdout

    def pings(self):
        """Whether the peer reaches the host, and the host what is behind the peer, if not with the first packet."""
        return (" 0% packet loss" in self.at_peer("busybox ping -c 1 -W 2 192.0.2.10", ok=False) and
                " 0% packet loss" in self.sh("busybox ping -c 1 -W 2 198.51.100.1", ok=False))

    def answers_pings(self):
        wait_until(self.pings, 60, "the peer and the host reach each other")
        return True

    def is_again(self, before):
        """As state() was; what the kernel says of a cable follows a moment later."""
        wait_until(lambda: self.state() == before, 60, f"all is as it was: {before}")
        return True

    def daemon(self, *words):
        """A daemon of that host, which ends with the test."""
        self.daemons.append(subprocess.Popen(self.inside(*words), env=self.env, stdin=subprocess.DEVNULL,
                                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))

    def file(self, path):
        return self.sh(f"cat {path}")

    def put(self, path, text):
        file = self.write("put", text)
        self.sh(f"mkdir -p $(dirname {path}); cat {file} > {path}")

    def virsh(self, *words, ok=True):
        done = subprocess.run(["virsh", "-c", f"qemu+unix:///system?socket={self.root}/run/libvirt-sock",
                               *map(str, words)], text=True, timeout=120, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        assert not ok or done.returncode == 0, done.stdout
        return done.stdout

    def state(self):
        """All that a change may touch, as text."""
        return self.sh("ip -o addr show scope global | sed 's/^[0-9]*: //' | sort; ip route; "
                       "cd /etc && grep -r . network/interfaces systemd/network 2>/dev/null", ok=False)

    def close(self):
        self.sh("kill $(cat /run/udhcpc.*.pid)", ok=False)
        for process in reversed(self.daemons):
            process.terminate()
            process.wait()
        wrong = super().close()
        self.peer.kill()
        self.peer.wait()
        return wrong


def with_ifupdown(daemon):
    daemon.put("/etc/network/interfaces", INTERFACES)
    daemon.sh("ifup eth0")


LEASED = "auto lo eth0\niface lo inet loopback\niface eth0 inet dhcp\n"

# what busybox's client runs with each lease
LEASE = """#!/bin/sh
case "$1" in
deconfig) ip addr flush dev $interface; ip link set $interface up;;
bound|renew) ip addr replace $ip/$mask dev $interface valid_lft $lease preferred_lft $lease
    [ -z "$router" ] || ip route replace default via $router dev $interface;;
esac
"""


def with_dhcp(daemon):
    """ifupdown's client is busybox's here; its server, at the peer, has one address to give."""
    daemon.put("/etc/network/interfaces", LEASED)
    daemon.sh("mkdir /run/sbin /run/sbin.work; mount -t overlay none -o lowerdir=/usr/sbin,upperdir=/run/sbin,"
              "workdir=/run/sbin.work /usr/sbin; ln -sf $(which busybox) /usr/sbin/udhcpc")
    daemon.put("/etc/udhcpc/default.script", LEASE)
    daemon.sh("chmod +x /etc/udhcpc/default.script")
    daemon.daemons.append(subprocess.Popen(
        ["nsenter", f"--net=/proc/{daemon.peer.pid}/ns/net", "--", "dnsmasq", "-k", "-C", "/dev/null", "-i", "peer0",
         "--bind-interfaces", "-p0", "--dhcp-range=192.0.2.10,192.0.2.10,1h", "--dhcp-authoritative",
         f"--dhcp-leasefile={daemon.root}/leases", "--pid-file"], stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
    wait_until(lambda: daemon.sh("ifup eth0", ok=False) is not None and daemon.pings(), 60, "eth0 has its lease")


def with_networkd(daemon):
    """The real one, which needs a bus to be told anything. Without udev it asks nobody what a link is."""
    daemon.put("/etc/systemd/network/10-eth.network", NETWORKD)
    daemon.daemon("dbus-daemon", "--system", "--nofork", "--nopidfile")
    daemon.daemon("/lib/systemd/systemd-networkd")
    wait_until(lambda: "=configured" in daemon.sh("cat /run/systemd/netif/links/*", ok=False), 60,
               "networkd has set up eth0")


NMCLI = """#!/bin/sh
echo "$@" >> /run/nmcli
"""

WIRED = """\
[connection]
id=Wired
uuid=11111111-2222-3333-4444-555555555555
type=ethernet

[ethernet]
wake-on-lan=1

[ipv4]
method=manual
address1=192.0.2.10/24,192.0.2.1
dns=192.0.2.53;

[ipv6]
method=disabled
"""


def with_nm(daemon):
    """Its files and its state, and a command that writes down what it is told: the daemon itself needs udev."""
    daemon.sh("ip addr add 192.0.2.10/24 dev eth0; ip link set eth0 up; ip route add default via 192.0.2.1")
    daemon.put("/etc/NetworkManager/system-connections/Wired.nmconnection", WIRED)
    daemon.sh("mkdir -p /run/NetworkManager/devices; printf '[device]\\nmanaged=true\\nconnection-uuid="
              "11111111-2222-3333-4444-555555555555\\n' > /run/NetworkManager/devices/$(cat /sys/class/net/eth0/ifindex)")
    nmcli = daemon.write("nmcli", NMCLI)
    nmcli.chmod(0o755)
    daemon.env["PATH"] = f"{nmcli.parent}:{os.environ['PATH']}"


MANAGERS = {"nm": (with_nm,),
            "dhcp": (with_dhcp, "/usr/sbin/ifup", "/usr/sbin/dnsmasq"),
            "ifupdown": (with_ifupdown, "/usr/sbin/ifup"),
            "networkd": (with_networkd, "/lib/systemd/systemd-networkd", "/usr/bin/dbus-daemon")}


def made_host(manager):
    nettest.need_root()
    begin, *programs = MANAGERS[manager]
    for program in programs:
        if not os.access(program, os.X_OK):
            pytest.skip(f"needs {program}")
    daemon = HostDaemon()
    try:
        begin(daemon)
        yield daemon.start()
    finally:
        wrong = daemon.close()
    assert not wrong, "\n".join(wrong)


@pytest.fixture
def host():
    yield from made_host("ifupdown")


@pytest.fixture
def dhcp_host():
    yield from made_host("dhcp")


@pytest.fixture
def nm_host():
    yield from made_host("nm")


@pytest.fixture
def networkd_host():
    yield from made_host("networkd")


def test_bridge_life(host):
    before = host.state()
    assert host.answers_pings()
    made = host.lodge("bridge", "create", "br0", "eth0")
    assert "Bridge br0 made over eth0" in made.out and "lodge bridge confirm" in made.out
    assert host.answers_pings()
    shown = host.lodge("bridge", "show")
    assert "br0" in shown.out and "192.0.2.10/24" in shown.out and "eth0" in shown.out and "ifupdown" in shown.out
    assert "waits to be confirmed" in shown.err
    assert "192.0.2.10" not in host.sh("ip addr show dev eth0")
    assert "default via 192.0.2.1 dev br0" in host.sh("ip route")
    # the NIC's address is the bridge's: leases stay
    assert host.sh("cat /sys/class/net/br0/address") == host.sh("cat /sys/class/net/eth0/address")
    text = host.file("/etc/network/interfaces")
    assert "# kept as it is\tbyte for byte\n" in text and "iface eth0 inet manual" in text
    assert "dns-nameservers 192.0.2.53" in text and "bridge_ports eth0" in text and "auto br0" in text
    # another change has to wait
    other = host.lodge("bridge", "delete", "br0", ok=False)
    assert "bridge confirm" in other.err
    host.lodge("bridge", "confirm")
    host.lodge("bridge", "confirm", ok=False)
    host.process.kill()
    host.process.wait()
    host.start()
    assert host.answers_pings() and "br0" in host.lodge("bridge", "show").out
    assert "waits" not in host.lodge("bridge", "show").err
    # ifupdown brings up the same from its files alone
    host.sh("ifdown br0; ip link del br0 2>/dev/null; ifup br0")
    wait_until(host.pings, 60, "the bridge works as ifupdown made it")
    host.lodge("bridge", "delete", "br0", "--timeout", "0")
    assert host.answers_pings() and "default via 192.0.2.1 dev eth0" in host.sh("ip route")
    assert not pathlib.Path("/sys/class/net/br0").exists()
    text = host.file("/etc/network/interfaces")
    assert "br0" not in text and "iface eth0 inet static" in text and "address 192.0.2.10/24" in text
    assert host.state().split("# kept")[0] == before.split("# kept")[0]


def test_with_networkd(networkd_host):
    host = networkd_host
    wait_until(host.pings, 60, "the peer answers")
    before = host.state()
    host.lodge("bridge", "create", "br0", "eth0")
    wait_until(host.pings, 60, "the bridge answers")
    assert "systemd-networkd" in host.lodge("bridge", "show").out
    # networkd itself has taken it over, as it will at the next boot
    wait_until(lambda: "00-lodge-br0.network" in host.sh("cat /run/systemd/netif/links/*", ok=False), 60, "it is its own")
    wait_until(lambda: host.sh("networkctl --no-legend list br0", ok=False).split()[-1:] == ["configured"], 60,
               "br0 is configured")
    text = host.file("/etc/systemd/network/00-lodge-br0.network")
    assert "DNS=192.0.2.53\nDomains=example.org\n" in text
    host.lodge("bridge", "rollback")
    wait_until(lambda: host.state() == before, 60, "all is as it was")
    wait_until(host.pings, 60, "the NIC answers")
    host.lodge("bridge", "create", "br0", "eth0", "--timeout", "0")
    # from nothing but its files
    host.sh("ip link del br0; ip addr flush dev eth0")
    host.daemons.pop().kill()
    # whose name is not free yet is never on the bus
    wait_until(lambda: "gone" in host.sh("networkctl reload || echo gone", ok=False), 60, "its name is free")
    host.daemon("/lib/systemd/systemd-networkd")
    wait_until(host.pings, 60, "networkd alone makes the bridge")
    wait_until(lambda: "done" in host.sh("networkctl reload && echo done", ok=False), 60, "it is on the bus")
    host.lodge("bridge", "delete", "br0", "--timeout", "0")
    wait_until(host.pings, 60, "the NIC answers")
    wait_until(lambda: host.state() == before, 60, "all is as it was")


def test_with_a_lease(dhcp_host):
    host = dhcp_host
    host.lodge("bridge", "create", "br0", "eth0")
    wait_until(host.pings, 60, "the bridge has the lease")
    # the same client's, for the bridge has the NIC's address; and the NIC's own has ended
    assert "192.0.2.10/24" in host.sh("ip addr show br0") and "inet " not in host.sh("ip addr show eth0")
    assert "iface br0 inet dhcp" in host.file("/etc/network/interfaces")
    host.lodge("bridge", "rollback")
    wait_until(host.pings, 60, "the NIC has the lease")
    assert host.file("/etc/network/interfaces") == LEASED


def test_with_nm_files(nm_host):
    host, folder = nm_host, "/etc/NetworkManager/system-connections"
    wait_until(host.pings, 60, "the peer answers")
    before = host.state()
    host.lodge("bridge", "create", "br0", "eth0")
    wait_until(host.pings, 60, "the bridge answers")
    bridge, port = host.file(f"{folder}/lodge-br0.nmconnection"), host.file(f"{folder}/lodge-eth0.nmconnection")
    assert "dns=192.0.2.53;" in bridge and "wake-on-lan=1" in port and "master=br0" in port
    assert host.sh(f"stat -c %a {folder}/lodge-br0.nmconnection").strip() == "600"
    told = host.file("/run/nmcli").splitlines()
    assert told[0] == "connection reload" and told[1].startswith("--wait 45 connection up uuid"), told
    host.lodge("bridge", "rollback")
    assert host.is_again(before) and host.file(f"{folder}/Wired.nmconnection") == WIRED
    assert "lodge" not in host.sh(f"ls {folder}")
    wait_until(host.pings, 60, "the NIC answers")
    host.lodge("bridge", "create", "br0", "eth0", "--timeout", "0")
    host.lodge("bridge", "delete", "br0", "--timeout", "0")
    assert host.is_again(before) and "br0" not in host.sh(f"ls {folder}")
    # which file it had is not known any more
    assert "dns=192.0.2.53;" in host.file(f"{folder}/lodge-eth0.nmconnection")
    wait_until(host.pings, 60, "the NIC answers")


def test_nobody_confirms(host):
    before = host.state()
    host.lodge("bridge", "create", "br0", "eth0", "--timeout", "2")
    wait_until(lambda: "br0" not in host.sh("ip link"), 60, "it is put back")
    wait_until(host.pings, 60, "the NIC answers again")
    assert host.is_again(before)
    host.lodge("bridge", "confirm", ok=False)
    host.lodge("bridge", "create", "br0", "eth0")
    host.lodge("bridge", "rollback")
    assert host.is_again(before) and host.answers_pings()


def test_killed_while_it_waits(host):
    before = host.state()
    host.lodge("bridge", "create", "br0", "eth0", "--timeout", "600")
    host.process.kill()
    host.process.wait()
    assert host.answers_pings()
    host.start()  # there is time left: it goes on counting
    wait_until(lambda: "waits to be confirmed" in host.lodge("bridge", "show").err, 60, "it is still known")
    assert host.answers_pings()
    host.lodge("bridge", "rollback")
    assert host.is_again(before)
    host.lodge("bridge", "create", "br0", "eth0", "--timeout", "3")
    host.process.kill()
    host.process.wait()
    time.sleep(4)  # its time is over while nobody is there
    host.start()
    wait_until(lambda: "br0" not in host.sh("ip link"), 60, "it is put back")
    wait_until(lambda: host.state() == before, 60, "all is as it was")
    wait_until(host.pings, 60, "the NIC answers again")


def test_killed_in_the_middle(host):
    before = host.state()
    # ifup hangs: the daemon is killed while the NIC has no address at all
    host.sh("mkdir -p /etc/network/if-pre-up.d; printf '#!/bin/sh\\n[ $IFACE != br0 ] || { echo $$ > /run/network/hung; "
            "exec sleep 20; }\\n' > /etc/network/if-pre-up.d/hang; chmod +x /etc/network/if-pre-up.d/hang")
    creation = subprocess.Popen([lodgetest.LODGE, "--root", host.root, "bridge", "create", "br0", "eth0"],
                                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_until(lambda: host.sh("cat /run/network/hung", ok=False).strip().isdigit(), 60, "ifup hangs")
    host.process.kill()
    host.process.wait()
    creation.wait()
    host.sh("rm /etc/network/if-pre-up.d/hang; kill $(cat /run/network/hung)", ok=False)
    host.start()
    wait_until(lambda: host.state() == before, 60, "all is as it was")
    wait_until(host.pings, 60, "the NIC answers again")


def test_failure_puts_back(host):
    before = host.state()
    host.sh("mkdir -p /etc/network/if-pre-up.d; printf '#!/bin/sh\\n[ $IFACE != br0 ]\\n' > "
            "/etc/network/if-pre-up.d/no; chmod +x /etc/network/if-pre-up.d/no")
    made = host.lodge("bridge", "create", "br0", "eth0", ok=False)
    assert "nothing was changed" in made.err and "ifup" in made.err, made
    assert host.is_again(before) and host.answers_pings()


def test_refused(host):
    host.sh("ip link add br1 type bridge; ip link add veth1 type veth peer name veth2; ip link set veth1 master br1; "
            "ip link add gre1 type ipip local 192.0.2.10 remote 192.0.2.1 2>/dev/null || true")
    before = host.state()
    for words, says in [
            (["create", "br0", "eth7"], "there are: eth0"),
            (["create", "br0", "lo"], "loopback"),
            (["create", "br0", "br1"], "is a bridge itself"),
            (["create", "br0", "veth1"], "port of br1 already"),
            (["create", "br0", "veth2"], "iface-define"),
            (["create", "br1", "eth0"], "choose another name"),
            (["create", "abcdefghijklmnop", "eth0"], "at most 15"),
            (["create", "br 0", "eth0"], "no name for an interface"),
            (["create", "../x", "eth0"], "no name for an interface"),
            (["delete", "eth0"], "is no bridge"),
            (["delete", "br7"], "no bridge"),
            (["add-port", "br1", "eth0"], "which it would lose"),
            (["remove-port", "br1", "eth0"], "no port of bridge br1")]:
        result = host.lodge("bridge", *words, ok=False)
        assert says in result.err, result
    assert host.is_again(before)


def test_ports(host):
    host.lodge("bridge", "create", "br0", "eth0", "--timeout", "0")
    host.sh("ip link add eth1 type veth peer name other1")
    host.lodge("bridge", "addif", "br0", "eth1")
    assert "master br0" in host.sh("ip link show eth1")
    assert "bridge_ports eth0 eth1" in host.file("/etc/network/interfaces")
    host.lodge("bridge", "rollback")
    host.lodge("bridge", "addif", "br0", "eth1", "--timeout", "2")
    wait_until(lambda: "master br0" not in host.sh("ip link show eth1"), 60, "it is put back")
    wait_until(lambda: "bridge_ports eth0\n" in host.file("/etc/network/interfaces"), 60, "the file, too")
    host.lodge("bridge", "add-port", "br0", "eth1", "--timeout", "0")
    assert "--nic" in host.lodge("bridge", "delete", "br0", ok=False).err
    host.lodge("bridge", "delif", "br0", "eth1", "--timeout", "0")
    assert "bridge_ports eth0\n" in host.file("/etc/network/interfaces")
    assert host.answers_pings()


def test_virsh_lines(host):
    listed = host.virsh("iface-list", "--all")
    assert listed.splitlines()[0].split() == ["Name", "State", "MAC", "Address"]
    mac = host.sh("cat /sys/class/net/eth0/address").strip()
    assert any(line.split() == ["eth0", "active", mac] for line in listed.splitlines())
    assert host.virsh("iface-mac", "eth0").strip() == mac
    assert host.virsh("iface-name", mac).strip() == "eth0"
    assert "192.0.2.10" in host.virsh("iface-dumpxml", "eth0")
    assert "gateway='192.0.2.1'" in host.virsh("iface-dumpxml", "eth0", "--inactive")
    assert "Interface not found" in host.virsh("iface-dumpxml", "eth9", ok=False)
    assert host.virsh("iface-begin").strip() == "Network config change transaction started"
    assert "begun already" in host.virsh("iface-begin", ok=False)
    before = host.state()
    made = host.virsh("iface-bridge", "eth0", "br0", "--no-stp")
    assert "Created bridge br0 with attached device eth0" in made and "Bridge interface br0 started" in made
    wait_until(host.pings, 60, "the bridge answers")
    assert "dns-nameservers 192.0.2.53" in host.file("/etc/network/interfaces")
    assert host.virsh("iface-rollback").strip() == "Network config change transaction rolled back"
    assert host.is_again(before) and host.answers_pings()
    assert "iface-begin does that" in host.virsh("iface-commit", ok=False)
    host.virsh("iface-bridge", "eth0", "br0", "--no-stp")
    back = host.virsh("iface-unbridge", "br0")
    assert "Device eth0 un-attached from bridge br0" in back and "Interface eth0 started" in back
    wait_until(host.pings, 60, "the NIC answers")
    empty = host.write("br5.xml", "<interface type='bridge' name='br5'><start mode='none'/><bridge stp='off'/></interface>")
    assert host.virsh("iface-define", empty).strip() == f"Interface br5 defined from {empty}"
    assert "br5" in host.virsh("iface-list", "--inactive")
    assert host.virsh("iface-start", "br5").strip() == "Interface br5 started"
    assert "br5" in host.virsh("iface-list")
    # virsh 9.0 says that, and ends with 1
    assert host.virsh("iface-destroy", "br5", ok=False).strip() == "Interface br5 destroyed"
    assert "not active" in host.virsh("iface-destroy", "br5", ok=False)
    assert host.virsh("iface-undefine", "br5").strip() == "Interface br5 undefined"
    assert "br5" not in host.virsh("iface-list", "--all")


PYTHON = """
import libvirt, sys
libvirt.registerErrorHandler(lambda *a: None, None)
c = libvirt.open(sys.argv[1])
i = c.interfaceLookupByName("eth0")
assert i.isActive() == 1 and c.interfaceLookupByMACString(i.MACString()).name() == "eth0"
assert "eth0" in c.listInterfaces() and c.numOfInterfaces() == len(c.listInterfaces())
assert {x.name() for x in c.listAllInterfaces()} >= {"eth0", "lo"}
assert c.numOfDefinedInterfaces() == len(c.listDefinedInterfaces())
for call in (lambda: c.interfaceLookupByName("nope"), lambda: c.interfaceLookupByMACString("52:54:00:00:00:99")):
    try:
        call()
        raise SystemExit("found what is not there")
    except libvirt.libvirtError as e:
        assert e.get_error_code() == libvirt.VIR_ERR_NO_INTERFACE, e.get_error_code()
        assert e.get_error_domain() == libvirt.VIR_FROM_INTERFACE, e.get_error_domain()
try:
    c.interfaceDefineXML("<interface type='bridge' name='abcdefghijklmnop'><bridge/></interface>")
    raise SystemExit("a long name was taken")
except libvirt.libvirtError as e:
    assert e.get_error_code() == libvirt.VIR_ERR_XML_ERROR, e.get_error_code()
d = c.interfaceDefineXML("<interface type='bridge' name='br9'><start mode='none'/><bridge/></interface>")
assert d.isActive() == 0
d.create()
assert d.isActive() == 1
d.destroy()
d.undefine()
c.changeBegin(); c.changeCommit(); c.changeBegin(); c.changeRollback()
r = libvirt.openReadOnly(sys.argv[1] + "-ro")
assert "eth0" in r.interfaceLookupByName("eth0").XMLDesc()
try:
    r.interfaceLookupByName("eth0").destroy()
    raise SystemExit("a reader stopped it")
except libvirt.libvirtError as e:
    pass
"""


def test_python(host):
    done = subprocess.run(["/usr/bin/python3", "-c", PYTHON,
                           f"qemu+unix:///system?socket={host.root}/run/libvirt-sock"], text=True, timeout=120,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert done.returncode == 0, done.stdout
