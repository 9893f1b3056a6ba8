"""Networks when things go wrong: the daemon is killed in the middle of a start or stop, dnsmasq is killed again
and again, other programs' firewalls stop guests, and there are more guests than addresses."""
import contextlib
import json
import re
import shutil
import subprocess

import pytest

from lodgetest import wait_until
from nettest import net_daemon  # noqa: F401  (a fixture)
from test_networks import NAT, chains, define, dnsmasq_of, net, others, start, world  # noqa: F401

needs_strace = pytest.mark.skipif(not shutil.which("strace"), reason="strace is not installed")

# Calls of the daemon's thread that starts or stops a network; which of them is the last word of a tool, of the
# kernel or of a file depends on how it is built, so they are spread over all.
START = [("rename", 1), ("sendto", 5), ("sendto", 7), ("clone", 1), ("clone", 2), ("waitid,wait4", 1),
         ("waitid,wait4", 2)]
STOP = [("unlink", 1), ("sendto", 2), ("clone", 1), ("waitid,wait4", 1)]


@contextlib.contextmanager
def deadly(daemon, calls, nth):
    """The @nth of the system calls @calls of any thread kills the daemon."""
    tracer = subprocess.Popen(["strace", "-f", "-p", str(daemon.process.pid), "-o", "/dev/null",
                               "-e", f"inject={calls}:signal=SIGKILL:when={nth}"], stderr=subprocess.PIPE, text=True)
    said = []
    for line in tracer.stderr:
        said.append(line)
        if "attached" in line:
            break
    else:
        pytest.skip(f"nothing can be traced here: {said}")
    yield
    tracer.terminate()
    tracer.communicate()


def there(daemon, name):
    """What of the network can be seen: its bridge with address, rules, dnsmasq."""
    links = daemon.sh("ip -br addr show")
    return [bool(re.search(rf"^br-{name} .*192\.168\.", links, re.M)), f"to_br-{name}" in chains(daemon),
            dnsmasq_of(daemon, name) is not None]


def is_active(daemon, name):
    return name in daemon.lodge("net-list", "--name").out.split()


@needs_strace
def test_killed_in_the_middle(net_daemon):
    """At whatever point of a start or a stop the daemon is killed: the next one has the network whole, or
    nothing of it; guests of another network stay connected; in the end nothing is left."""
    start(net_daemon, "calm", net("calm", "192.168.90", NAT))
    net_daemon.sh("ip link add tap9 type veth peer name tap8; ip link set tap9 master br-calm")
    define(net_daemon, "red", net("red", "192.168.70", NAT))
    killed = 0
    for verb, points in (("net-start", START), ("net-destroy", STOP)):
        for calls, nth in points:
            if (verb == "net-destroy") != is_active(net_daemon, "red"):
                net_daemon.lodge("net-start" if verb == "net-destroy" else "net-destroy", "red")
            with deadly(net_daemon, calls, nth):
                net_daemon.lodge(verb, "red", ok=None)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    net_daemon.process.wait(0.3)
            if net_daemon.survives(0):
                continue
            killed += 1
            net_daemon.start()
            wait_until(lambda: there(net_daemon, "red") == [is_active(net_daemon, "red")] * 3, 60,
                       f"after {verb}, {calls} {nth}: all or nothing")
            assert "master br-calm" in net_daemon.sh("ip link show tap9")
            wait_until(lambda: there(net_daemon, "calm") == [True] * 3, 60, "the other one is there")
    assert killed >= 6, "most points are not met any more"
    for name in "red", "calm":
        net_daemon.lodge("net-destroy", name, ok=None)
    assert not chains(net_daemon) - {"forward", "input", "postrouting"}
    assert not [words for words in net_daemon.processes().values() if "dnsmasq" in words]
    assert "br-" not in net_daemon.sh("ip -br link")
    left = [path.name for path in (net_daemon.root / "run/networks").iterdir()]
    assert not left, left


NIC = """<interface type='network'><mac address='52:54:00:00:00:07'/><source network='red'/>
<model type='virtio'/><filterref filter='clean-traffic'/></interface>"""
START_GUEST = [("rename", nth) for nth in (1, 2, 3)]
STOP_GUEST = [("unlink,unlinkat", 1), ("unlink,unlinkat", 3)]


def has_of_guest(daemon):
    """What a guest has of the host: tap, place on the bridge, port, rules, the files of all of them."""
    files = [str(path) for folder in ("networks", "nwfilter-bindings") for path in (daemon.root / "run" / folder).glob("*")
             if path.suffix == ".new" or "vnet" in path.name]
    return (daemon.sh("ip -o link show type tun").count("vnet"),
            daemon.sh("ip -o link show master br-red", ok=False).count("vnet"),
            len(daemon.lodge("net-port-list", "red", "--uuid").out.split()),
            int("vnet" in daemon.sh("nft list ruleset")), len([name for name in files if name.endswith(".xml")]),
            len([name for name in files if name.endswith(".new")]))


@needs_strace
def test_killed_while_a_guest_starts(net_daemon):
    """A guest that starts or ends while the daemon is killed has all of its network afterwards, or nothing. One
    that runs is on its bridge again, if the daemon or somebody else removed that."""
    start(net_daemon, "red", net("red", "192.168.70", NAT))
    net_daemon.define("web1", devices=NIC)
    for verb, points in (("start", START_GUEST), ("destroy", STOP_GUEST)):
        for calls, nth in points:
            if (verb == "start") == (net_daemon.state("web1") == "running"):
                net_daemon.lodge("destroy" if verb == "start" else "start", "web1")
            with deadly(net_daemon, calls, nth):
                net_daemon.lodge(verb, "web1", ok=None)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    net_daemon.process.wait(0.3)
            if not net_daemon.survives(0):
                net_daemon.start()
                wait_until(lambda: is_active(net_daemon, "red"), 60, "the network is taken up")
            wait_until(lambda: has_of_guest(net_daemon) ==
                       ((1, 1, 1, 1, 1, 0) if net_daemon.state("web1") == "running" else (0,) * 6), 60,
                       f"after {verb}, {calls} {nth}: all or nothing")
    if net_daemon.state("web1") != "running":
        net_daemon.lodge("start", "web1")
    net_daemon.kill()
    net_daemon.sh("ip link del br-red; rm -f %s" % (net_daemon.root / "run/networks/red.ports"))
    net_daemon.start()
    wait_until(lambda: is_active(net_daemon, "red"), 60, "the network is taken up")
    wait_until(lambda: has_of_guest(net_daemon) == (1, 1, 1, 1, 1, 0), 60, "the guest is on its bridge again")
    net_daemon.lodge("destroy", "web1")
    wait_until(lambda: has_of_guest(net_daemon) == (0,) * 6, 60, "nothing of it is left")


def test_dnsmasq_dies_again_and_again(net_daemon, others):
    """It is started again, but not in a mad loop; leases are kept."""
    start(net_daemon, "red", net("red", "192.168.70", NAT))
    guest = others("g1").join("br-red")
    address = re.search(r"192\.168\.70\.[12]\d\d", guest.dhcp()).group()
    log = net_daemon.root / "daemon.err"

    def struck(times):
        """Kills what runs, which may be a dnsmasq that is just going to the background, until the log says so."""
        if log.read_text().count("it is started again") >= times:
            return True
        net_daemon.sh(f"kill -9 {dnsmasq_of(net_daemon, 'red') or ''} 2>&1", ok=None)
        return False

    for times in range(1, 4):
        wait_until(lambda t=times: struck(t), 60, "the log says so")
    wait_until(lambda: log.read_text().rfind("runs again") > log.read_text().rfind("it is started again") and
               dnsmasq_of(net_daemon, "red"), 60, "dnsmasq runs again")
    assert address in guest.dhcp()
    assert address in net_daemon.lodge("net-dhcp-leases", "red").out
    net_daemon.lodge("net-destroy", "red")
    assert not dnsmasq_of(net_daemon, "red")


def test_range_is_used_up(net_daemon, others):
    """Who comes too late gets no address, and gets one when another has given its back."""
    start(net_daemon, "red", net("red", "192.168.70", NAT).replace("70.200", "70.101"))
    first, second, third = (others(name).join("br-red") for name in ("g1", "g2", "g3"))
    first.dhcp()
    second.dhcp()
    script = net_daemon.write("udhcpc", "#!/bin/sh\n")
    late = third.sh(f"busybox udhcpc -i eth0 -q -n -f -t 2 -T 1 -s {script} 2>&1", ok=False)
    assert "no lease" in late or "failing" in late, late
    wait_until(lambda: len(json.loads(net_daemon.lodge("net-dhcp-leases", "red", "--json").out)["leases"]) == 2, 60,
               "both leases are written down")
    net_daemon.lodge("net-update", "red", "add", "ip-dhcp-range",
                     "<range start='192.168.70.150' end='192.168.70.151'/>", "--live")
    wait_until(lambda: "192.168.70.15" in third.dhcp(), 60, "the new range is given out")


def remedy(daemon, owner):
    """The command that net-check offers against @owner's rules; None where it has nothing to say."""
    checks = json.loads(daemon.lodge("net-check", "--json").out)["checks"]
    return next((check["remedy"] for check in checks if check["name"] == f"br-red: {owner}"), None)


DOCKER = """iptables -N DOCKER-USER; iptables -A DOCKER-USER -j RETURN; iptables -N DOCKER-ISOLATION-STAGE-1
iptables -A DOCKER-ISOLATION-STAGE-1 -j RETURN; iptables -P FORWARD DROP; iptables -A FORWARD -j DOCKER-USER
iptables -A FORWARD -j DOCKER-ISOLATION-STAGE-1"""
UFW = """for c in before-input user-input before-forward user-forward; do iptables -N ufw-$c; done
iptables -A INPUT -j ufw-before-input; iptables -A ufw-before-input -i lo -j ACCEPT
iptables -A ufw-before-input -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
iptables -A ufw-before-input -j ufw-user-input
iptables -A FORWARD -j ufw-before-forward
iptables -A ufw-before-forward -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
iptables -A ufw-before-forward -j ufw-user-forward
iptables -P INPUT DROP; iptables -P FORWARD DROP"""
# what the program would do with these words
UFW_TOOL = """#!/bin/sh
case "$*" in
"route allow in on "*) iptables -A ufw-user-forward -i $5 -j ACCEPT;;
"route allow out on "*) iptables -A ufw-user-forward -o $5 -j ACCEPT;;
"allow in on "*) iptables -A ufw-user-input -i $4 -j ACCEPT;;
*) exit 1;;
esac
"""


@pytest.mark.skipif(not shutil.which("iptables"), reason="iptables is not installed")
@pytest.mark.parametrize("owner, rules", [("docker", DOCKER), ("ufw", UFW)], ids=["docker", "ufw"])
def test_firewalls_of_others(net_daemon, others, world, owner, rules):
    """A guest's packets that Docker's or ufw's rules stop pass after the command that net-check offers."""
    start(net_daemon, "red", net("red", "192.168.70", NAT))
    guest = others("g1").join("br-red")
    guest.dhcp()
    assert guest.reaches("203.0.113.2") and remedy(net_daemon, owner) is None
    net_daemon.sh(rules)
    assert guest.is_cut_off("203.0.113.2"), "the rules of this test stop nothing"
    offered = remedy(net_daemon, owner)
    tool = net_daemon.write("ufw", UFW_TOOL)
    tool.chmod(0o755)
    net_daemon.sh(f"PATH={tool.parent}:$PATH; {offered}")
    assert guest.reaches("203.0.113.2"), offered
    assert guest.reaches("192.168.70.1") and "192.168.70." in guest.dhcp()
    assert remedy(net_daemon, owner) is None
