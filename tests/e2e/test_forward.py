"""Ports of the host that lead to guests: from the host, from outside, from another guest, over restarts, and
in user mode."""
import json
import re
import subprocess

import lodgetest
from lodgetest import wait_until
from nettest import net_daemon  # noqa: F401  (a fixture)

NETWORK = """<network><name>n</name><forward mode='nat'><nat ipv6='yes'/></forward>
<bridge name='br7' delay='0'/><ip address='10.77.7.1' netmask='255.255.255.0'><dhcp>
<range start='10.77.7.10' end='10.77.7.20'/></dhcp></ip>
<ip family='ipv6' address='fd77::1' prefix='64'/></network>"""
NIC = """<interface type='network'><mac address='52:54:00:00:07:01'/><source network='n'/>
<model type='virtio'/>
<portForward proto='tcp'><range start='9000' end='9002' to='80'/><range start='9001' exclude='yes'/></portForward>
</interface>"""


def says(daemon, address, port=8080, prefix=""):
    """What the guest's server answers at that address of the host, once it does."""
    script = f"{prefix} timeout 5 busybox nc -w 3 {address} {port} < /dev/null"
    return "HELLO" in daemon.sh(script, ok=False)


def reached(daemon, address, port=8080, prefix=""):
    wait_until(lambda: says(daemon, address, port, prefix), 60, f"{prefix} {address} port {port} leads there")


def serve(daemon):
    console = daemon.console("web1")
    console.send("\r")
    console.expect(lodgetest.PROMPT)
    console.run("net-up; ip addr add fd77::10/64 dev eth0; ping6 -c 3 fd77::1; "
                "{ while true; do echo HELLO | nc -l -p 80; done >/dev/null 2>&1 & }")
    return console


def beside(daemon, name, bridge=None):
    """A namespace that is joined to the daemon's by @name: on a bridge, or as the world behind it."""
    holder = subprocess.Popen(daemon.inside("unshare", "-n", "sh", "-c", "echo; exec sleep inf"), env=daemon.env,
                              stdout=subprocess.PIPE)
    assert holder.stdout.readline()
    inside = f"nsenter -t {holder.pid} -n"
    daemon.sh(f"ip link add {name} type veth peer name eth0 netns {holder.pid} && ip link set {name} up && "
              f"{inside} ip link set eth0 up")
    if bridge:
        daemon.sh(f"ip link set {name} master {bridge} && {inside} ip addr add 10.77.7.99/24 dev eth0")
    else:
        daemon.sh(f"ip addr add 10.9.9.1/24 dev {name} && {inside} ip addr add 10.9.9.2/24 dev eth0 && "
                  f"ip addr add fd99::1/64 dev {name} nodad && "
                  f"{inside} ip addr add fd99::2/64 dev eth0 nodad")
    return holder, inside


def refused(daemon, *words):
    return daemon.lodge("port-forward", "web1", *words, ok=False).err


def check_refusals(daemon):
    assert "leads to guest" in refused(daemon, "8080:81")
    assert "leads to guest" in refused(daemon, "8079-8081:81")
    assert re.search(r"53/udp of this host is used by dnsmasq \(pid \d+\)", refused(daemon, "53/udp"))
    assert "no address of this host" in refused(daemon, "99:99", "--bind", "192.0.2.1")
    assert "neither an address nor an interface" in refused(daemon, "99:99", "--bind", "nosuch0")
    for wrong in "0:1", "1:70000", "9-8:1", "8000-8010:80-81", "65530-65535:65535", "x", "1:2/sctp":
        assert "is no forward" in refused(daemon, wrong), wrong


def check_reach(daemon, outside, guest):
    """Host, world and another guest of the same bridge, by IPv4 and IPv6."""
    for address in "127.0.0.1", "10.77.7.1", "10.9.9.1", "fd77::1":
        reached(daemon, address)
    for address in "10.9.9.1", "fd99::1":
        reached(daemon, address, prefix=outside)
    reached(daemon, "10.77.7.1", prefix=guest)  # out by the bridge that it came in by
    reached(daemon, "127.0.0.1", 9000)
    reached(daemon, "10.9.9.1", 7001, prefix=outside)  # the second of a range, by that interface alone
    reached(daemon, "127.0.0.2", 7100)
    assert not says(daemon, "127.0.0.1", 7100) and not says(daemon, "127.0.0.1", 9001)
    assert not says(daemon, "10.77.7.1", 7001, prefix=guest)


def test_forward(net_daemon):
    """Reached from everywhere, also behind a range, an address or an interface; kept over a kill of the daemon
    and a restart of the network; gone when removed, or with the guest where its definition says them."""
    net_daemon.lodge("net-define", net_daemon.write("n.xml", NETWORK))
    net_daemon.lodge("net-start", "n")
    world, outside = beside(net_daemon, "w0")
    other, guest = beside(net_daemon, "g0", "br7")
    net_daemon.define("web1", devices=NIC)
    net_daemon.lodge("port-forward", "web1", "8080:80")
    net_daemon.lodge("port-forward", "web1", "7000-7001:79", "--bind", "w0")
    net_daemon.lodge("port-forward", "web1", "7100:80", "--bind", "127.0.0.2")
    net_daemon.lodge("port-forward", "web1", "5353:53/udp")
    check_refusals(net_daemon)
    net_daemon.lodge("start", "web1")
    serve(net_daemon)
    net_daemon.lodge("wait", "web1", "--port", "80", "--timeout", "60")
    check_reach(net_daemon, outside, guest)
    table = net_daemon.lodge("port-forward-list").out
    for words in ("8080/tcp", "7000-7001/tcp at w0", "127.0.0.2:7100/tcp", "5353/udp", "79-80",
                  r"9002/tcp +web1 +82 +10.77.7.1\d fd77::\S+ +definition"):
        assert re.search(words, table), table
    assert "definition" in net_daemon.lodge("port-forward-remove", "web1", "9000", ok=False).err
    net_daemon.define("web2", boot=False, devices=NIC.replace("07:01", "07:02"))
    assert 'leads to guest "web1"' in net_daemon.lodge("start", "web2", ok=False).err

    net_daemon.restart()
    assert "8080/tcp" in net_daemon.lodge("port-forward-list").out
    reached(net_daemon, "10.9.9.1", prefix=outside)
    reached(net_daemon, "127.0.0.1", 9000)
    net_daemon.lodge("net-destroy", "n")
    net_daemon.sh("nft flush ruleset")  # as others do; a network that starts brings all back
    net_daemon.lodge("net-start", "n")
    net_daemon.sh("ip link set g0 master br7")
    reached(net_daemon, "10.9.9.1", prefix=outside)
    for forward in "8080", "7000-7001", "7100", "5353/udp":
        net_daemon.lodge("port-forward-remove", "web1", forward)
    assert not says(net_daemon, "127.0.0.1")
    reached(net_daemon, "127.0.0.1", 9000)
    net_daemon.lodge("destroy", "web1")
    wait_until(lambda: "lodge_forward" not in net_daemon.sh("nft list tables"), 60, "its table is gone")
    assert "web1" not in net_daemon.lodge("port-forward-list").out
    net_daemon.lodge("net-destroy", "n")
    for process in world, other:
        process.kill()
        process.wait()


USER = """<interface type='user'><model type='e1000'/>
<portForward proto='tcp' address='127.0.0.1'><range start='8090' to='22'/></portForward></interface>"""


def test_forward_in_user_mode(net_daemon):
    """QEMU itself listens, as soon as the guest runs; a daemon that comes later knows that."""
    net_daemon.define("web1", boot=False, devices=USER)
    net_daemon.lodge("start", "web1")
    net_daemon.lodge("port-forward", "web1", "8081:80")

    def listens(port):
        return f":{port:04X} 00000000:0000 0A" in net_daemon.sh("cat /proc/net/tcp")

    wait_until(lambda: listens(8081) and listens(8090), 60, "QEMU listens")
    assert "qemu" in refused(net_daemon, "8090:22") or "leads to guest" in refused(net_daemon, "8090:22")
    assert "IPv4" in refused(net_daemon, "8082:22", "--bind", "::1")
    holder = subprocess.Popen(net_daemon.inside("busybox", "nc", "-l", "-p", "8083"), stdin=subprocess.DEVNULL)
    try:
        wait_until(lambda: ":1F93" in net_daemon.sh("cat /proc/net/tcp /proc/net/tcp6"), 60, "it listens")
        assert f"(pid {holder.pid})" in refused(net_daemon, "8083:22")
    finally:
        holder.kill()
        holder.wait()
    net_daemon.restart()
    wait_until(lambda: "8081/tcp" in net_daemon.lodge("port-forward-list").out, 60, "it is known")
    listed = net_daemon.rest("GET", "/v1/port-forwards").body
    wait_until(lambda: json.dumps(net_daemon.rest("GET", "/v1/port-forwards").body).count('"user"') == 2, 60,
               f"both are at work: {listed}")
    net_daemon.lodge("port-forward-remove", "web1", "8081")
    wait_until(lambda: not listens(8081), 60, "QEMU does not listen there any more")
    assert listens(8090)
    assert "QEMU cannot listen" not in net_daemon.said()
    net_daemon.lodge("destroy", "web1")
