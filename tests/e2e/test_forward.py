"""Ports of the host that lead to guests: from the host, from outside, over restarts, and in user mode."""
import subprocess

import lodgetest
from nettest import net_daemon  # noqa: F401  (a fixture)

NETWORK = """<network><name>n</name><forward mode='nat'/><bridge name='br7' delay='0'/>
<ip address='10.77.7.1' netmask='255.255.255.0'><dhcp>
<range start='10.77.7.10' end='10.77.7.20'/></dhcp></ip></network>"""
NIC = "<interface type='network'><source network='n'/><model type='virtio'/></interface>"


def says(daemon, address, prefix=""):
    """What the guest's server answers at that address of the host, once it does."""
    script = f"{prefix} timeout 5 bash -c 'cat < /dev/tcp/{address}/8080'"
    return "HELLO" in daemon.sh(script, ok=False)


def serve(daemon):
    console = daemon.console("web1")
    console.send("\r")
    console.expect(lodgetest.PROMPT)
    console.run("net-up; { while true; do echo HELLO | nc -l -p 80; done >/dev/null 2>&1 & }")
    return console


def test_forward(net_daemon):
    """Reached through the host's loop, its addresses and from another host; kept over a kill of the daemon;
    gone when it is removed."""
    world = subprocess.Popen(net_daemon.inside("unshare", "-n", "sleep", "inf"), env=net_daemon.env)
    net_daemon.lodge("net-define", net_daemon.write("n.xml", NETWORK))
    net_daemon.lodge("net-start", "n")
    lodgetest.wait_until(lambda: net_daemon.sh(f"ip link add w0 type veth peer name w1 netns {world.pid}",
                                               ok=False) == "", 20, "there is a world")
    net_daemon.sh("ip addr add 10.9.9.1/24 dev w0 && ip link set w0 up")
    net_daemon.sh(f"nsenter -t {world.pid} -n sh -c 'ip addr add 10.9.9.2/24 dev w1 && ip link set w1 up'")
    net_daemon.define("web1", devices=NIC)
    net_daemon.lodge("port-forward", "web1", "8080:80")
    assert "leads to guest" in net_daemon.lodge("port-forward", "web1", "8080:81", ok=False).err
    assert "dnsmasq" in net_daemon.lodge("port-forward", "web1", "53/udp", ok=False).err
    net_daemon.lodge("start", "web1")
    serve(net_daemon)
    net_daemon.lodge("wait", "web1", "--port", "80", "--timeout", "60")
    for address in "127.0.0.1", "10.77.7.1", "10.9.9.1":
        lodgetest.wait_until(lambda a=address: says(net_daemon, a), 60, f"{address} leads to the guest")
    outside = f"nsenter -t {world.pid} -n"
    lodgetest.wait_until(lambda: says(net_daemon, "10.9.9.1", outside), 60, "the world reaches the guest")

    net_daemon.restart()
    assert "8080/tcp" in net_daemon.lodge("port-forward-list").out
    lodgetest.wait_until(lambda: says(net_daemon, "10.9.9.1", outside), 60, "after a restart, too")
    net_daemon.lodge("port-forward-remove", "web1", "8080")
    assert "8080" not in net_daemon.lodge("port-forward-list").out
    assert "lodge_forward" not in net_daemon.sh("nft list tables")
    net_daemon.lodge("destroy", "web1")
    net_daemon.lodge("net-destroy", "n")
    world.kill()
    world.wait()


def test_forward_in_user_mode(net_daemon):
    """QEMU itself listens, as soon as the guest runs."""
    net_daemon.define("web1", boot=False, devices="<interface type='user'><model type='e1000'/></interface>")
    net_daemon.lodge("start", "web1")
    net_daemon.lodge("port-forward", "web1", "8081:80")

    def listens():
        return ":1F91" in net_daemon.sh("cat /proc/net/tcp")  # 8081
    lodgetest.wait_until(listens, 60, "QEMU listens")
    net_daemon.lodge("port-forward-remove", "web1", "8081")
    lodgetest.wait_until(lambda: not listens(), 60, "QEMU listens no more")
    net_daemon.lodge("destroy", "web1")
