"""Many guests that start at once on one network, and end at once. LODGE_CROWD says how many (200 where there is
memory for them: some 40 MiB each)."""
import os
import subprocess

import lodgetest
from lodgetest import wait_until
from nettest import net_daemon  # noqa: F401  (a fixture)

CROWD = int(os.environ.get("LODGE_CROWD", "16"))
NETWORK = """<network><name>n</name><forward mode='nat'/><bridge name='brc'/>
<ip address='10.88.0.1' netmask='255.255.0.0'><dhcp><range start='10.88.1.1' end='10.88.4.1'/></dhcp></ip></network>"""
GUEST = """<domain type='qemu'><name>g{n}</name><memory unit='MiB'>4</memory>
<os><type arch='x86_64' machine='pc'>hvm</type></os><devices><interface type='network'>
<mac address='52:54:00:0c:{high:02x}:{low:02x}'/><source network='n'/><model type='virtio'/>
<filterref filter='clean-traffic'/><portForward proto='tcp'><range start='{port}' to='22'/></portForward>
</interface><memballoon model='none'/></devices></domain>"""


def at_once(daemon, words):
    """Runs a command for each guest, all together; returns what failed."""
    running = [subprocess.Popen([lodgetest.LODGE, "--root", daemon.root, *map(str, words(n))], env=daemon.env, text=True,
                                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
               for n in range(CROWD)]
    said = [process.communicate(timeout=60 + 10 * CROWD)[1] for process in running]
    return [text for process, text in zip(running, said) if process.returncode]


def left(daemon):
    """What there is of taps, rules, and forwards."""
    return (daemon.sh("ip -o link show type tun | wc -l").strip(), daemon.sh("nft list tables | grep -c forward", ok=False)
            .strip(), daemon.sh("nft list ruleset | grep -c vnet", ok=False).strip())


def test_crowd(net_daemon):
    net_daemon.lodge("net-define", net_daemon.write("n.xml", NETWORK))
    net_daemon.lodge("net-start", "n")
    paths = [net_daemon.write(f"g{n}.xml", GUEST.format(n=n, high=n >> 8, low=n & 255, port=20000 + n))
             for n in range(CROWD)]
    assert not at_once(net_daemon, lambda n: ("create", "--paused", paths[n]))
    assert left(net_daemon)[0] == str(CROWD)
    bridge = net_daemon.sh("ip -o link show master brc")
    taps = {line.split()[1].rstrip(":").split("@")[0] for line in bridge.splitlines()}
    assert len(taps) == CROWD, bridge
    assert len(net_daemon.lodge("net-port-list", "n", "--uuid").out.split()) == CROWD
    bound = net_daemon.lodge("nwfilter-binding-list").out
    assert all(tap in bound for tap in taps)
    net_daemon.kill()  # nobody is lost by that
    net_daemon.start()
    assert len(net_daemon.lodge("list", "--name").out.split()) == CROWD
    assert len(net_daemon.lodge("net-port-list", "n", "--uuid").out.split()) == CROWD
    wrong = at_once(net_daemon, lambda n: ("destroy", f"g{n}"))
    assert not wrong, wrong
    assert not net_daemon.lodge("list", "--name").out.split()
    wait_until(lambda: left(net_daemon) == ("0", "0", "0"), 60, f"nothing is left: {left(net_daemon)}")
    assert not net_daemon.lodge("net-port-list", "n", "--uuid").out.split()
    assert "vnet" not in net_daemon.lodge("nwfilter-binding-list").out
    net_daemon.lodge("net-destroy", "n")
