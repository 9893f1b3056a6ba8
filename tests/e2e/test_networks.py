"""Virtual networks with real bridges, rules and dnsmasq, in network namespaces: the host's, where the
daemon is, a guest's on the bridge, and the world's behind the host."""
import contextlib
import json
import re
import shutil
import subprocess
import textwrap

import pytest

import lodgetest
import nettest
from lodgetest import wait_until
from nettest import net_daemon  # noqa: F401  (a fixture)

UDHCPC = """#!/bin/sh
[ "$1" = bound ] || exit 0
ip addr flush dev "$interface"
ip addr add "$ip/$mask" dev "$interface"
[ -z "$router" ] || ip route add default via "$router"
echo "$ip"
"""


def net(name, subnet, forward="", extra="", dhcp="", bridge=None, attributes="stp='off' delay='0'"):
    bridge = bridge or f"br-{name}"
    return f"""<network><name>{name}</name>{forward}<bridge name='{bridge}' {attributes}/>{extra}
      <ip address='{subnet}.1' netmask='255.255.255.0'><dhcp>
        <range start='{subnet}.100' end='{subnet}.200'/>{dhcp}</dhcp></ip></network>"""


NAT = "<forward mode='nat'/>"


class Other:
    """Another host: a namespace that is joined to the daemon's by a pair of interfaces."""

    def __init__(self, daemon, name):
        self.daemon, self.name = daemon, name
        self.holder = subprocess.Popen(["unshare", "-n", "sh", "-c", "ip link set lo up; echo; exec sleep inf"],
                                       stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        assert self.holder.stdout.readline()
        daemon.sh(f"ip link add {name} type veth peer name eth0 netns {self.holder.pid} && ip link set {name} up")
        self.sh("ip link set eth0 up")

    def sh(self, script, ok=True):
        done = subprocess.run(["nsenter", f"--net=/proc/{self.holder.pid}/ns/net", "--", "sh", "-c", script],
                              text=True, timeout=120, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT)
        assert not ok or done.returncode == 0, done.stdout
        return done.stdout

    def join(self, bridge):
        self.daemon.sh(f"ip link set {self.name} master {bridge}")
        return self

    def dhcp(self, *options):
        """Asks for an address, and gets it."""
        script = self.daemon.write("udhcpc", UDHCPC)
        script.chmod(0o755)
        return self.sh(f"busybox udhcpc -i eth0 -q -n -f -t 20 -T 1 -s {script} {' '.join(options)} 2>&1")

    def is_cut_off(self, address):
        return " 0% packet loss" not in self.sh(f"busybox ping -c 1 -W 3 {address}", ok=False)

    def reaches(self, address):
        """If not with the first packet."""
        return any(not self.is_cut_off(address) for _ in range(15))

    def looks_up(self, name, server):
        return self.sh(f"busybox nslookup {name} {server} 2>&1", ok=False)

    def close(self):
        self.holder.kill()
        self.holder.wait()


@pytest.fixture
def others(net_daemon):
    """A function that makes Others by name."""
    with contextlib.ExitStack() as made:
        def make(name):
            other = Other(net_daemon, name)
            made.callback(other.close)
            return other
        yield make


@pytest.fixture
def world(net_daemon, others):
    """What is behind the host; it knows no way to our networks."""
    other = others("world")
    net_daemon.sh("ip addr add 203.0.113.1/24 dev world")
    other.sh("ip addr add 203.0.113.2/24 dev eth0")
    return other


def define(daemon, name, xml):
    daemon.lodge("net-define", daemon.write(f"{name}.xml", xml))


def start(daemon, name, xml):
    define(daemon, name, xml)
    daemon.lodge("net-start", name)


def chains(daemon):
    """Names of the chains in our table."""
    text = daemon.sh("nft -j list chains inet 2>/dev/null || echo '{}'")
    return {item["chain"]["name"] for item in json.loads(text).get("nftables", [])
            if item.get("chain", {}).get("table") == "lodge"}


def dnsmasq_of(daemon, name):
    """Its pid; None: none runs."""
    pids = [pid for pid, words in daemon.processes().items() if f"networks/{name}.conf" in words]
    return pids[0] if pids else None


def test_nat_network(net_daemon, others, world):
    """A guest gets address, names and a way out; nobody gets in; nothing is left afterwards."""
    start(net_daemon, "red", net("red", "192.168.70", NAT, "<domain name='red.test' localOnly='yes'/>",
                                 "<host mac='52:54:00:aa:00:01' name='web1' ip='192.168.70.10'/>"))
    assert {"to_br-red", "from_br-red", "nat_br-red"} <= chains(net_daemon)
    guest, fixed = others("g1").join("br-red"), others("g2").join("br-red")
    fixed.sh("ip link set eth0 address 52:54:00:aa:00:01")
    assert "192.168.70.10" in fixed.dhcp("-x hostname:web1")
    address = re.search(r"192\.168\.70\.[12]\d\d", guest.dhcp("-x hostname:db1")).group()
    assert guest.reaches("203.0.113.2") and guest.reaches("192.168.70.1") and guest.reaches("192.168.70.10")
    world.sh("ip route add 192.168.70.0/24 via 203.0.113.1")
    assert world.is_cut_off(address)
    wait_until(lambda: f"{address}/24" in (table := net_daemon.lodge("net-dhcp-leases", "red").out) and "db1" in table and
               "192.168.70.10/24" in table, 60, "the leases are listed")

    pid = dnsmasq_of(net_daemon, "red")
    wait_until(lambda: "192.168.70.10" in guest.looks_up("web1.red.test", "192.168.70.1"), 60, "its name is known")
    net_daemon.lodge("net-update", "red", "add", "dns-host",
                     "<host ip='192.168.70.77'><hostname>extra</hostname></host>", "--live", "--config")
    wait_until(lambda: "192.168.70.77" in guest.looks_up("extra.red.test", "192.168.70.1"), 60,
               "a name that was added is known")
    net_daemon.lodge("net-update", "red", "modify", "ip-dhcp-host",
                     "<host mac='52:54:00:aa:00:01' name='web1' ip='192.168.70.11'/>", "--live")
    wait_until(lambda: "192.168.70.11" in fixed.dhcp(), 60, "another address is given out")
    assert dnsmasq_of(net_daemon, "red") == pid, "a change of hosts started another dnsmasq"
    assert "timed out" in world.looks_up("web1.red.test", "192.168.70.1") or \
        "no servers" in world.looks_up("web1.red.test", "192.168.70.1")

    net_daemon.lodge("net-destroy", "red")
    assert not [name for name in chains(net_daemon) if "red" in name]
    assert "br-red" not in net_daemon.sh("ip link") and not dnsmasq_of(net_daemon, "red")
    assert "extra" in net_daemon.lodge("net-dumpxml", "red").out
    net_daemon.lodge("net-undefine", "red")
    assert "red" not in net_daemon.lodge("net-list", "--all").out


GUEST_SCRIPT = ("echo '[ \"$1\" = bound ] && ip addr add $ip/24 dev eth0 && ip route add default via $router' > /dhcp; "
                "chmod +x /dhcp; sed -i '1i #!/bin/sh' /dhcp; ip link set eth0 up; "
                "busybox udhcpc -i eth0 -n -q -t 30 -T 1 -x hostname:web1 -s /dhcp")


def test_real_guest(net_daemon, world):
    """Guests of QEMU get addresses, names, each other, the host and out; they keep their ports over a crash
    of the daemon, and their connection over a restart of the network."""
    start(net_daemon, "red", net("red", "192.168.70", NAT, "<domain name='red.test'/>"))
    for name, last in ("web1", "07"), ("web2", "08"):
        net_daemon.define(name, devices=f"<interface type='network'><mac address='52:54:00:00:00:{last}'/>"
                                        "<source network='red'/><model type='virtio'/></interface>")
        net_daemon.lodge("start", name)
    other, console = (net_daemon.console(name) for name in ("web2", "web1"))
    for each, name in (console, "web1"), (other, "web2"):
        each.send("\r")
        each.expect(lodgetest.PROMPT)
        each.run(GUEST_SCRIPT.replace("web1", name))

    def gets_out(console, to="203.0.113.2"):
        return "1 packets received" in console.run(f"ping -c 1 -W 5 {to}")

    wait_until(lambda: gets_out(console), 60, "the guest reaches the world")
    first = re.search(r"(192\.168\.70\.\d+)/24 +web1", net_daemon.lodge("net-dhcp-leases", "red").out).group(1)
    for to in first, "192.168.70.1", "203.0.113.2":
        wait_until(lambda to=to: gets_out(other, to), 60, f"the other guest reaches {to}")
    wait_until(lambda: first in other.run("nslookup web1.red.test 192.168.70.1"), 60, "the name is known")
    net_daemon.lodge("destroy", "web2")
    assert re.search("52:54:00:00:00:07.*web1", net_daemon.lodge("net-dhcp-leases", "red").out)
    assert "connections='1'" in net_daemon.lodge("net-dumpxml", "red").out
    ports = net_daemon.lodge("net-port-list", "red", "--uuid").out
    net_daemon.restart()
    wait_until(lambda: net_daemon.state("web1") == "running", 60, "the guest is taken up")
    assert net_daemon.lodge("net-port-list", "red", "--uuid").out == ports
    net_daemon.lodge("net-destroy", "red")
    net_daemon.lodge("net-start", "red")
    assert "master br-red" in net_daemon.sh("ip link show vnet0")
    again = net_daemon.console("web1")
    again.send("echo ON''-AGAIN\r")
    again.expect("ON-AGAIN")
    wait_until(lambda: gets_out(again), 60, "the guest reaches the world again")
    net_daemon.lodge("destroy", "web1")
    assert not net_daemon.lodge("net-port-list", "red", "--uuid").out.strip()


def test_routed_isolated_open(net_daemon, others, world):
    """Routed: both ways with the guest's own address. Isolated: the host only."""
    start(net_daemon, "blue", net("blue", "192.168.71", "<forward mode='route'/>"))
    start(net_daemon, "grey", net("grey", "192.168.72"))
    start(net_daemon, "wide", net("wide", "192.168.73", "<forward mode='open'/>"))
    world.sh("ip route add 192.168.0.0/16 via 203.0.113.1")
    blue, grey, wide = others("g1").join("br-blue"), others("g2").join("br-grey"), others("g3").join("br-wide")
    for guest in (blue, grey, wide):
        guest.dhcp()
    grey.sh("ip route add default via 192.168.72.1")  # it was given none
    address = {guest: guest.sh("ip -4 -o addr show eth0").split()[3].split("/")[0]
               for guest in (blue, grey, wide)}
    assert blue.reaches("203.0.113.2") and world.reaches(address[blue])
    assert wide.reaches("203.0.113.2") and world.reaches(address[wide])
    assert grey.reaches("192.168.72.1")
    assert grey.is_cut_off("203.0.113.2") and world.is_cut_off(address[grey])
    assert grey.is_cut_off(address[blue]) and blue.is_cut_off(address[grey])
    assert "br-wide" not in net_daemon.sh("nft list ruleset")


FLOOR = """<interface type='network'><mac address='52:54:00:00:00:{number:02x}'/><source network='slow'/>
  <bandwidth><inbound average='300' floor='{floor}'/></bandwidth><model type='virtio'/>
  </interface>"""


POLICE = ("ip link add try0 type bridge; tc qdisc add dev try0 ingress; tc filter add dev try0 parent ffff: protocol "
          "all u32 match u32 0 0 police rate 500kbps burst 64kb drop flowid :1 2>&1; ip link del try0")


def test_limits(net_daemon):
    """<bandwidth> of a network bounds its bridge; guests' floors are taken from it, no more than it has, and
    are kept over a crash of the daemon and a restart of the network."""
    out = net_daemon.sh(POLICE, ok=False) == ""  # not every kernel can bound what comes in
    start(net_daemon, "slow", net("slow", "192.168.79", NAT, "<bandwidth><inbound average='1000' peak='2000'/>" +
                                  ("<outbound average='500' burst='128'/>" if out else "") + "</bandwidth>"))
    start(net_daemon, "free", net("free", "192.168.80", NAT))

    def rates():
        """Class -> rate, as tc prints them."""
        shown = net_daemon.sh("tc class show dev br-slow")
        return dict(re.findall(r"class htb (1:\w+) .*?rate (\S+) ", shown))

    assert rates() == {"1:1": "8Mbit", "1:2": "8Mbit"}
    assert not out or "police" in net_daemon.sh("tc filter show dev br-slow parent ffff:")
    for number, floor in ((1, 600), (2, 300), (3, 200)):
        net_daemon.define(f"g{number}", boot=False, devices=FLOOR.format(number=number, floor=floor))
    net_daemon.lodge("start", "g1")
    net_daemon.lodge("start", "g2")
    both = {"1:1": "8Mbit", "1:2": "800Kbit", "1:3": "4800Kbit", "1:4": "2400Kbit"}
    assert rates() == both
    assert "flowid 1:4" in net_daemon.sh("tc filter show dev br-slow")
    assert "2400Kbit" in net_daemon.sh("tc class show dev vnet1")  # its own average
    said = net_daemon.lodge("start", "g3", ok=False).err
    assert "900 are promised to others" in said and "floor" in said
    assert "vnet2" not in net_daemon.sh("ip link") and rates() == both
    net_daemon.define("g4", boot=False, devices=FLOOR.format(number=4, floor=1).replace("slow", "free"))
    assert "inbound average" in net_daemon.lodge("start", "g4", ok=False).err

    net_daemon.restart()
    wait_until(lambda: net_daemon.state("g2") == "running", 60, "the guest is taken up")
    wait_until(lambda: rates() == both, 60, "the classes are there again")
    net_daemon.lodge("net-destroy", "slow")
    net_daemon.lodge("net-start", "slow")
    wait_until(lambda: rates() == both, 60, "the classes are there after a restart of the network")
    assert len(net_daemon.lodge("net-port-list", "slow", "--uuid").out.split()) == 2
    net_daemon.lodge("destroy", "g1")
    wait_until(lambda: rates() == {"1:1": "8Mbit", "1:2": "5600Kbit", "1:4": "2400Kbit"}, 60, "a floor is free")
    net_daemon.lodge("start", "g3")
    assert rates()["1:3"] == "1600Kbit"


def test_ipv6(net_daemon, others, world):
    """Addresses by DHCPv6's range, and NAT66 where it is asked for."""
    start(net_daemon, "six", """<network><name>six</name><forward mode='nat'><nat ipv6='yes'/></forward>
      <bridge name='br-six' stp='off'/><ip family='ipv6' address='fd66::1' prefix='64'>
      <dhcp><range start='fd66::100' end='fd66::1ff'/></dhcp></ip><ip address='192.168.66.1' prefix='24'/>
      </network>""")
    net_daemon.sh("ip addr add 2001:db8::1/64 dev world nodad")
    world.sh("ip addr add 2001:db8::2/64 dev eth0 nodad")
    guest = others("s").join("br-six")
    guest.sh("ip addr add fd66::7/64 dev eth0 nodad; ip -6 route add default via fd66::1")
    wait_until(lambda: guest.reaches("2001:db8::2"), 60, "IPv6 gets out")
    assert "dhcp-range=fd66::100,fd66::1ff,64" in (net_daemon.root / "run/networks/six.conf").read_text()


def test_dnsmasq_and_daemon_die(net_daemon, others):
    """dnsmasq comes back; a daemon that is killed finds its networks as they were, or puts them right."""
    start(net_daemon, "red", net("red", "192.168.70", NAT))
    define(net_daemon, "off", net("off", "192.168.74", NAT))
    guest = others("g1").join("br-red")
    first = dnsmasq_of(net_daemon, "red")
    net_daemon.sh(f"kill -9 {first}")
    wait_until(lambda: dnsmasq_of(net_daemon, "red") not in (None, first), 60, "dnsmasq runs again")
    wait_until(lambda: "192.168.70." in guest.dhcp(), 60, "it gives out addresses")
    second, bridge = dnsmasq_of(net_daemon, "red"), net_daemon.sh("ip -o link show br-red").split(":")[0]

    net_daemon.restart()
    wait_until(lambda: "active" in net_daemon.lodge("net-list").out, 60, "it is active")
    assert dnsmasq_of(net_daemon, "red") == second
    assert bridge == net_daemon.sh("ip -o link show br-red").split(":")[0]
    assert "master br-red" in net_daemon.sh("ip link show g1")

    # while no daemon was there, somebody took things away
    net_daemon.kill()
    net_daemon.sh(f"kill -9 {second}; nft delete table inet lodge")
    net_daemon.start()
    wait_until(lambda: dnsmasq_of(net_daemon, "red"), 60, "dnsmasq is back")
    wait_until(lambda: "to_br-red" in chains(net_daemon), 60, "and its rules")
    assert "master br-red" in net_daemon.sh("ip link show g1")

    # it died in the middle of a start: what says so is there, and half a bridge
    net_daemon.kill()
    shown = (net_daemon.root / "etc/networks/off.xml").read_text()
    (net_daemon.root / "run/networks/off.xml").write_text(shown)
    net_daemon.sh("ip link add br-off type bridge")
    net_daemon.start()

    def is_on():
        return "off" in net_daemon.lodge("net-list", "--name").out.split()

    wait_until(lambda: is_on() == ("192.168.74.1/24" in net_daemon.sh("ip addr show br-off", ok=False)), 60,
               "it is there, or it is not")
    if is_on():
        net_daemon.lodge("net-destroy", "off")
    wait_until(lambda: "br-off" not in net_daemon.sh("ip link") and not dnsmasq_of(net_daemon, "off"), 60,
               "nothing of it is left")
    net_daemon.lodge("net-destroy", "red")
    assert not chains(net_daemon) - {"forward", "input", "postrouting"}


LISTENER = ("import socket, time; s = socket.socket(type=socket.SOCK_DGRAM); s.bind(('0.0.0.0', 53)); "
            "print('ready', flush=True); time.sleep(600)")


def test_refusals(net_daemon):
    """What cannot be is said clearly, and leaves nothing."""
    def refused(name, xml, *words, verb="net-start"):
        if verb == "net-start":
            define(net_daemon, name, xml)
            said = net_daemon.lodge("net-start", name, ok=False).err
        else:
            said = net_daemon.lodge(verb, net_daemon.write(f"{name}.xml", xml), ok=False).err
        for word in words:
            assert word in said, said
        return said

    refused("long", net("long", "192.168.70", bridge="sixteencharacter"), "16 characters", verb="net-define")
    refused("out", net("out", "192.168.70").replace("70.100", "71.100"), "outside of the network",
            verb="net-define")
    net_daemon.sh("ip link add taken0 type bridge")
    refused("taken", net("taken", "192.168.70", NAT, bridge="taken0"), "taken0", "choose another")
    assert "taken0" in net_daemon.sh("ip link"), "a bridge of somebody else's was removed"
    net_daemon.sh("ip link add eth9 type veth peer name eth8 && ip addr add 192.168.75.9/24 dev eth9 && "
                  "ip link set eth9 up && ip link set eth8 up && ip route add 10.99.0.0/16 via 192.168.75.1")
    refused("used", net("used", "192.168.75", NAT), "192.168.75.0/24 is in use", "eth9")
    refused("routed", net("routed", "10.99.3", NAT), "10.99.0.0/16", "eth9")
    listener = subprocess.Popen(net_daemon.inside("/usr/bin/python3", "-c", LISTENER), text=True,
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    try:
        assert listener.stdout.readline()
        refused("dns", net("dns", "192.168.78", NAT), "Address already in use", f"(pid {listener.pid})", "53/udp")
    finally:
        listener.kill()
        listener.wait()
    start(net_daemon, "first", net("first", "192.168.76", NAT))
    define(net_daemon, "second", net("second", "192.168.76", NAT))
    assert "br-first" in net_daemon.lodge("net-start", "second", ok=False).err
    assert "already in use" in net_daemon.lodge(
        "net-define", net_daemon.write("x.xml", net("third", "192.168.77", bridge="br-first")), ok=False).err
    for name in ("used", "second", "dns"):
        assert f"br-{name}" not in net_daemon.sh("ip link")
    assert {"to_br-first"} == {name for name in chains(net_daemon) if name.startswith("to_")}


class PoorDaemon(nettest.NetDaemon):
    """It finds only the programs that are linked into its folder `tools`."""

    def inside(self, *words):
        tools = self.root / "tools"
        return super().inside(*(["env", f"PATH={tools}"] if words[0] == lodgetest.LODGE else []), *words)

    def give(self, program):
        (self.root / "tools").mkdir(exist_ok=True)
        (self.root / "tools" / program).symlink_to(shutil.which(program))


def test_programs_missing():
    """Without nft or dnsmasq the message names the package, and nothing is left."""
    nettest.need_root()
    daemon = PoorDaemon()
    try:
        daemon.give("qemu-system-x86_64")
        daemon.start()
        define(daemon, "red", net("red", "192.168.70", NAT))
        assert "package nftables" in daemon.lodge("net-start", "red", ok=False).err
        assert "apt install nftables" in daemon.lodge("net-check").out
        daemon.give("nft")
        assert "package dnsmasq-base" in daemon.lodge("net-start", "red", ok=False).err
        assert "br-red" not in daemon.sh("ip link; nft list ruleset")
        daemon.give("dnsmasq")
        daemon.lodge("net-start", "red")
    finally:
        wrong = daemon.close()
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("taken", [False, True])
def test_default_network(taken):
    """`default` is made once, and gets another subnet where its own is taken."""
    nettest.need_root()
    daemon = nettest.NetDaemon()
    (daemon.root / "etc").mkdir()
    (daemon.root / "etc" / "lodge.conf").write_text("default-network = yes\n")
    try:
        if taken:
            daemon.sh("ip link add virbr0 type veth peer name other && ip addr add 192.168.122.5/24 dev virbr0 && "
                      "ip link set virbr0 up && ip link set other up")
        daemon.start()
        wait_until(lambda: "default" in daemon.lodge("net-list").out, 60, "default is active")
        xml = daemon.lodge("net-dumpxml", "default").out
        assert ("192.168.123.1" if taken else "192.168.122.1") in xml
        assert ("<bridge name='virbr1'" if taken else "<bridge name='virbr0'") in xml
        assert "yes" in daemon.lodge("net-info", "default").out.split("Autostart:")[1].split("\n")[0]
        daemon.lodge("net-destroy", "default")
        daemon.lodge("net-undefine", "default")
        daemon.restart()
        assert "default" not in daemon.lodge("net-list", "--all").out, "it was removed on purpose"
    finally:
        wrong = daemon.close()
    assert not wrong, "\n".join(wrong)


def test_net_event(net_daemon):
    """`lodge net-event` tells of networks in virsh's words."""
    define(net_daemon, "red", "<network><name>red</name><bridge name='br-red' stp='off'/></network>")
    waiting = subprocess.Popen([lodgetest.LODGE, "--root", net_daemon.root, "net-event", "--event", "lifecycle",
                                "--timeout", "60"], env=net_daemon.env, text=True, stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE)
    try:
        while waiting.poll() is None:  # it may not listen yet
            net_daemon.lodge("net-start", "red")
            net_daemon.lodge("net-destroy", "red")
        said = waiting.communicate()[0]
    finally:
        waiting.kill()
        waiting.wait()
    assert "event 'lifecycle' for network red: St" in said and "events received: 1" in said


def virsh(daemon, *lines):
    """What virsh prints for each line."""
    uri = f"qemu:///system?socket={daemon.root}/run/libvirt-sock"
    out = []
    for line in lines:
        done = subprocess.run(["virsh", "-c", uri, line], text=True, timeout=90, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        out.append(done.stdout.strip())
    return out


PORT = """<networkport><uuid>5d744f21-ba4a-4d6e-bdb2-30a35ff3207d</uuid>
<owner><name>g</name><uuid>d54df46f-1ab5-4a22-8618-4560ef5fac2c</uuid></owner>
<mac address='52:54:00:7b:35:93'/><bandwidth><inbound average='10'/></bandwidth>
<plug type='network' bridge='br-red'/></networkport>"""


def test_virsh(net_daemon):
    """virsh's own lines, and what it prints."""
    xml = net_daemon.write("red.xml", net("red", "192.168.70", NAT))
    port = net_daemon.write("port.xml", PORT)
    said = virsh(net_daemon, f"net-define {xml}", "net-start red", "net-autostart red", "net-list --all",
                 "net-uuid red", "net-info red", f"net-port-create red {port}", "net-port-list red",
                 "net-port-dumpxml red 5d744f21-ba4a-4d6e-bdb2-30a35ff3207d",
                 "net-port-delete red 5d744f21-ba4a-4d6e-bdb2-30a35ff3207d", "net-start red", "net-dumpxml nosuch")
    assert said[0] == f"Network red defined from {xml}"
    assert said[1] == "Network red started"
    assert said[2] == "Network red marked as autostarted"
    assert re.search(r"red\s+active\s+yes\s+yes", said[3])
    assert "Bridge:         br-red" in said[5]
    assert "created from" in said[6] and "5d744f21-ba4a-4d6e-bdb2-30a35ff3207d" in said[7]
    assert "<inbound average='10'/>" in said[8]
    assert "deleted" in said[9] and "already active" in said[10] and "nosuch" in said[11]


def test_libvirt_events(net_daemon):
    """Lifecycle events reach libvirt's clients."""
    script = textwrap.dedent(f"""
        import libvirt, threading
        libvirt.virEventRegisterDefaultImpl()
        seen = []
        def loop():
            while True:
                libvirt.virEventRunDefaultImpl()
        threading.Thread(target=loop, daemon=True).start()
        conn = libvirt.open("qemu:///system?socket={net_daemon.root}/run/libvirt-sock")
        done = threading.Event()
        def event(conn, net, event, detail, data):
            seen.append((net.name(), event))
            if event == 1:
                done.set()
        conn.networkEventRegisterAny(None, libvirt.VIR_NETWORK_EVENT_ID_LIFECYCLE, event, None)
        net = conn.networkDefineXML(open("{net_daemon.write('red.xml', net('red', '192.168.70', NAT))}").read())
        net.create()
        assert net.isActive() and net.bridgeName() == "br-red" and net.DHCPLeases() == []
        assert [n.name() for n in conn.listAllNetworks()] == ["red"] and conn.listNetworks() == ["red"]
        net.update(libvirt.VIR_NETWORK_UPDATE_COMMAND_ADD_LAST, libvirt.VIR_NETWORK_SECTION_DNS_TXT, -1,
                   "<txt name='a' value='b'/>", libvirt.VIR_NETWORK_UPDATE_AFFECT_LIVE)
        net.destroy()
        net.undefine()
        assert done.wait(60)
        print([event for _, event in seen])
    """)
    done = subprocess.run(["/usr/bin/python3", "-c", script], text=True, timeout=120, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT)
    assert done.returncode == 0, done.stdout
    assert done.stdout.strip() == "[0, 2, 3, 1]", done.stdout  # defined, started, stopped, undefined
