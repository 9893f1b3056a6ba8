"""Interfaces of guests on bridges: taps, filters, limits, and that nothing of them stays."""
import subprocess

import lodgetest
from nettest import net_daemon  # noqa: F401  (a fixture)

BRIDGE = ("ip link add br0 type bridge && ip addr add 192.168.77.1/24 dev br0 && ip link set br0 up")
INTERFACE = """<interface type='bridge'>
  <mac address='52:54:00:00:00:07'/><source bridge='br0'/><model type='virtio'/><mtu size='1400'/>
  <coalesce><rx><frames max='7'/></rx></coalesce>
  <filterref filter='clean-traffic'/>
</interface>"""


# ethtool_coalesce: command (ETHTOOL_GCOALESCE), rx_coalesce_usecs, rx_max_coalesced_frames
COALESCE = """/usr/bin/python3 - <<'END'
import ctypes, fcntl, socket, struct
how = ctypes.create_string_buffer(struct.pack("I", 0x0e), 23 * 4)
fcntl.ioctl(socket.socket(), 0x8946, struct.pack("16sQ8x", b"vnet0", ctypes.addressof(how)))
print(struct.unpack_from("III", how)[2])
END"""


def rules(daemon):
    return daemon.sh("nft list table bridge lodge_filter 2>/dev/null || true")


def pings(console, source):
    console.run("ip neigh flush dev eth0")
    return "1 packets received" in console.run(f"ping -c 1 -W 2 -I {source} 192.168.77.1")


def test_filtered_guest(net_daemon):
    """A guest on a bridge is held to its addresses, also by a daemon that was killed; its end leaves
    nothing."""
    net_daemon.sh(BRIDGE)
    net_daemon.define("web1", devices=INTERFACE)
    net_daemon.lodge("start", "web1")
    assert "<target dev='vnet0'/>" in net_daemon.lodge("dumpxml", "web1").out
    link = net_daemon.sh("ip -d link show vnet0")
    assert "master br0" in link and "mtu 1400" in link and "fe:54:00:00:00:07" in link
    assert net_daemon.sh(COALESCE).strip() == "7"
    assert "clean-traffic" in net_daemon.lodge("nwfilter-binding-list").out
    console = net_daemon.console("web1")
    console.send("\r")
    console.expect(lodgetest.PROMPT)
    console.run("ip link set eth0 up; ip addr add 192.168.77.7/24 dev eth0")
    # the first thing it says tells its address
    lodgetest.wait_until(lambda: pings(console, "192.168.77.7"), 60, "the guest reaches the host")
    assert "ip saddr 192.168.77.7 return" in rules(net_daemon)
    net_daemon.lodge("wait", "web1", "--ip", "--timeout", "60")
    assert "192.168.77.7/0" in net_daemon.lodge("domifaddr", "web1", "--source", "arp").out

    console.run("ip addr add 192.168.77.99/24 dev eth0")
    assert not pings(console, "192.168.77.99"), "another IP address gets through"
    console.run("ip addr del 192.168.77.99/24 dev eth0")
    console.run("arping -c 2 -w 3 -U -s 192.168.77.1 -I eth0 192.168.77.1")
    assert "192.168.77.1 " not in net_daemon.sh("ip neigh show dev br0"), "a lie by ARP gets through"

    net_daemon.restart()
    lodgetest.wait_until(lambda: net_daemon.state("web1") == "running", 60, "the guest is taken up")
    again = net_daemon.console("web1")
    again.send("echo AFTER''-RESTART\r")  # behind what is shown of before
    again.expect("AFTER-RESTART")
    lodgetest.wait_until(lambda: pings(again, "192.168.77.7"), 60, "the guest reaches the host again")
    again.run("ip link set eth0 down; ip link set eth0 address 52:54:00:00:00:99; ip link set eth0 up")
    assert not pings(again, "192.168.77.7"), "another MAC address gets through"

    net_daemon.lodge("destroy", "web1")
    lodgetest.wait_until(lambda: "vnet0" not in net_daemon.sh("ip link") + rules(net_daemon), 60, "nothing is left")


def test_what_cannot_be_joined(net_daemon):
    """The message says what is missing, and nothing is left."""
    net_daemon.define("web1", boot=False, devices=INTERFACE)
    assert "br0" in net_daemon.lodge("start", "web1", ok=False).err
    net_daemon.sh(BRIDGE)
    net_daemon.define("web2", boot=False, devices=INTERFACE.replace("clean-traffic", "nothing"))
    assert "nothing" in net_daemon.lodge("start", "web2", ok=False).err
    vlan = "<vlan><tag id='42'/></vlan></interface>"
    net_daemon.define("web3", boot=False, devices=INTERFACE.replace("</interface>", vlan))
    assert "VLAN" in net_daemon.lodge("start", "web3", ok=False).err
    assert "vnet" not in net_daemon.sh("ip link") + rules(net_daemon)
    assert "vnet" not in net_daemon.lodge("nwfilter-binding-list").out


def test_killed_in_the_middle(net_daemon):
    """A daemon that is killed while it starts guests leaves no tap, no rule and no binding of those that
    do not run."""
    net_daemon.sh(BRIDGE)
    for i in range(3):
        net_daemon.define(f"web{i}", boot=False,
                          devices=INTERFACE.replace("00:07", f"00:1{i}").replace("virtio", "e1000"))

    started = [subprocess.Popen([lodgetest.LODGE, "--root", net_daemon.root, "start", f"web{i}"],
                                env=net_daemon.env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                stderr=subprocess.DEVNULL) for i in range(3)]
    lodgetest.wait_until(lambda: "vnet" in net_daemon.sh("ip link"), 60, "a tap is there")
    net_daemon.kill()
    for process in started:
        process.wait(60)
    # a child that was being started may hold the daemon's sockets until it is another program
    lodgetest.wait_until(lambda: not any(words.startswith(str(lodgetest.LODGE))
                                         for words in net_daemon.processes().values()), 60, "it is gone")
    net_daemon.start()
    for i in range(3):
        net_daemon.lodge("destroy", f"web{i}", ok=None)
    lodgetest.wait_until(lambda: "vnet" not in net_daemon.sh("ip link") + rules(net_daemon), 60, "nothing is left")
    assert "vnet" not in net_daemon.lodge("nwfilter-binding-list").out


def test_other_kinds(net_daemon):
    """A macvtap, a tap of its own, and a tap with queues, a name and no cable; a daemon that comes later
    removes them, too."""
    net_daemon.sh("ip link add d0 type veth peer name d1; ip link set d0 up; ip link set d1 up")
    net_daemon.sh(BRIDGE)
    net_daemon.define("web1", boot=False, devices="""
      <interface type='direct'><source dev='d0' mode='bridge'/><model type='virtio'/></interface>
      <interface type='ethernet'><target dev='own0'/><model type='e1000'/></interface>
      <interface type='bridge'><source bridge='br0'/><target dev='wire0'/><model type='virtio'/>
        <driver queues='2'/><port isolated='yes'/><link state='down'/></interface>""")
    net_daemon.lodge("start", "web1")
    links = net_daemon.sh("ip -d link")
    assert "macvtap0@d0" in links and "own0" in links and "wire0" in links
    assert "isolated on" in net_daemon.sh("bridge -d link show dev wire0")
    assert "UP" not in net_daemon.sh("ip -br link show wire0")
    assert "macvtap0" in net_daemon.lodge("domiflist", "web1").out
    net_daemon.kill()
    lodgetest.wait_until(lambda: not any(words.startswith(str(lodgetest.LODGE))
                                         for words in net_daemon.processes().values()), 60, "it is gone")
    net_daemon.start()
    net_daemon.lodge("destroy", "web1")
    lodgetest.wait_until(lambda: not any(name in net_daemon.sh("ip link") for name in ("macvtap0", "own0", "wire0")), 60,
                         "none of them is left")
    assert "d0" in net_daemon.sh("ip link")
