"""Networks without this host's: user mode by QEMU and by passt, tunnels, taps that others made, and what is
refused by name; and a guest that boots from the network."""
import json
import os
import pathlib
import re
import shutil
import subprocess
import tempfile

import pytest

import lodgetest
from lodgetest import wait_until
from nettest import net_daemon  # noqa: F401  (a fixture)

PASST = """<interface type='user'><mac address='52:54:00:00:09:01'/><model type='virtio'/><backend type='passt'/>
<ip family='ipv4' address='10.66.1.5' prefix='24'/>
<portForward proto='tcp' address='127.0.0.1'><range start='8095' to='80'/></portForward>
<portForward proto='udp'><range start='8096' end='8099'/><range start='8097' exclude='yes'/></portForward>
</interface>"""


def give_way_out(daemon):
    """An interface with a default route: passt takes its addresses from it."""
    daemon.sh("ip link add w0 type veth peer name w1 && ip addr add 10.9.9.1/24 dev w0 && ip link set w0 up && "
              "ip link set w1 up && ip route add default via 10.9.9.2")


def shell(daemon, name):
    console = daemon.console(name)
    console.send("\r")
    console.expect(lodgetest.PROMPT)
    return console


def kill_passt(said):
    os.kill(int(re.search(r"pid=(\d+)", said())[1]), 9)


def check_passt_again(daemon, answers, passt):
    """Ports change while the guest runs; passt comes again where it is killed, also with another daemon."""
    def live():
        return "HELLO" in daemon.sh("timeout 5 busybox nc -w 3 127.0.0.1 8080 < /dev/null", ok=False)

    said = daemon.lodge("port-forward", "web1", "8080:80")
    assert "connections" in said.err, said
    wait_until(live, 60, "the new port leads to the guest")
    assert "leads to guest" in daemon.lodge("port-forward", "web1", "8080:80", ok=False).err
    kill_passt(passt)
    wait_until(answers, 60, "passt is there again")
    wait_until(live, 60, "and all its ports")
    daemon.restart()
    kill_passt(passt)
    wait_until(live, 60, "a daemon that came later starts it again, too")
    daemon.lodge("port-forward-remove", "web1", "8080")
    wait_until(lambda: not live(), 60, "the port leads nowhere")
    wait_until(answers, 60, "the others stay")
    wait_until(lambda: not list((daemon.root / "run").glob("*.pid")), 60, "no file of it is left")


@pytest.mark.skipif(not shutil.which("passt"), reason="passt is not installed")
def test_passt(net_daemon):
    """The guest gets its address, the host its port; passt outlives the daemon and ends with the guest."""
    net_daemon.define("web1", devices=PASST)
    assert "passt: " in net_daemon.lodge("start", "web1", ok=False).err  # there is no way out
    give_way_out(net_daemon)
    net_daemon.lodge("start", "web1")
    assert "10.66.1.5" in shell(net_daemon, "web1").run(
        "net-up; { while true; do echo HELLO | nc -l -p 80; done >/dev/null 2>&1 & }")

    def answers():
        return "HELLO" in net_daemon.sh("timeout 5 busybox nc -w 3 127.0.0.1 8095 < /dev/null", ok=False)

    def passt():
        # its arguments are its own to hide, and it has no environment: its descriptors tell
        return net_daemon.sh("ss -Hltnp 'sport = 8095'")

    wait_until(answers, 60, "the port leads to the guest")
    wait_until(lambda: all(f":{port} " in net_daemon.sh("ss -Hlun") for port in (8096, 8098, 8099)), 60, "UDP, too")
    assert ":8097 " not in net_daemon.sh("ss -Hlun")
    net_daemon.restart()
    wait_until(answers, 60, "also after a kill of the daemon")
    wait_until(lambda: re.search(r"127.0.0.1:8095/tcp +web1 +80 +user +definition",
                                 net_daemon.lodge("port-forward-list").out), 60, "it is listed")
    check_passt_again(net_daemon, answers, passt)
    net_daemon.define("web2", boot=False, devices=PASST.replace("09:01", "09:02"))
    assert "8095" in net_daemon.lodge("start", "web2", ok=False).err
    assert passt()
    net_daemon.lodge("destroy", "web1")
    wait_until(lambda: not passt(), 60, "passt has ended")
    wait_until(lambda: not list((net_daemon.root / "run").glob("passt:*")), 60, "nor its files")


TYPES = """
<interface type='ethernet'><target dev='own7' managed='no'/><model type='virtio'/></interface>
<interface type='udp'><source address='127.0.0.1' port='7001'><local address='127.0.0.1' port='7002'/></source>
  <model type='virtio'/></interface>
<interface type='mcast'><source address='230.0.0.1' port='7003'/><model type='virtio'/></interface>
<interface type='{}'><source address='127.0.0.1' port='7004'/><model type='virtio'/></interface>
<interface type='null'><model type='virtio'/></interface>"""

REFUSED = {
    "<interface type='user'><portForward proto='sctp'><range start='1'/></portForward></interface>": "tcp or udp",
    "<interface type='user'><portForward proto='tcp'><range start='9' end='8'/></portForward></interface>":
        "is none",
    "<interface type='internal'><source name='x'/></interface>": "internal",
    "<interface type='vdpa'><source dev='/dev/vhost-vdpa-9'/><model type='virtio'/></interface>":
        "/dev/vhost-vdpa-9",
    "<interface type='vhostuser'><source type='unix' path='/nonexistent/s' mode='client'/>"
    "<model type='virtio'/></interface>": "/nonexistent/s",
    "<interface type='user'><portForward proto='tcp'/></interface>": "without a port",
    "<interface type='user'><portForward proto='tcp' dev='w0'><range start='8'/></portForward></interface>":
        "passt",
}


def test_types(net_daemon):
    """Tunnels and a tap of somebody else's start, which stays; what cannot be is refused by name."""
    net_daemon.sh("ip tuntap add own7 mode tap && ip link set own7 up; ip route add 224.0.0.0/4 dev lo")
    net_daemon.define("web1", boot=False, devices=TYPES.format("server"))
    net_daemon.define("web2", boot=False, devices="<interface type='client'><source address='127.0.0.1' "
                      "port='7004'/><model type='virtio'/></interface>")
    net_daemon.lodge("start", "web1")
    net_daemon.lodge("start", "web2")
    wait_until(lambda: ":7004" in net_daemon.sh("ss -Htn state established"), 60, "they are joined")
    assert ":7002" in net_daemon.sh("ss -Huna")
    assert "LOWER_UP" in net_daemon.sh("ip link show own7")
    for name in "web1", "web2":
        net_daemon.lodge("destroy", name)
    assert "own7" in net_daemon.sh("ip link")
    for devices, word in REFUSED.items():
        path = net_daemon.write("no.xml", lodgetest.xml_for("no", boot=False, devices=devices))
        said = net_daemon.lodge("create", path, ok=False).err
        assert word in said, said


@pytest.mark.timeout(600)
def test_pxe(net_daemon):
    """Our dnsmasq gives out the name of a script, and serves it and what it names."""
    files, root = lodgetest.guest_files(), net_daemon.root / "tftp"
    root.mkdir(mode=0o755)
    for name in "vmlinuz", "initramfs":
        shutil.copy(files / name, root / name)
    (root / "boot.ipxe").write_text("#!ipxe\nkernel vmlinuz console=ttyS0 quiet no_timer_check\ninitrd initramfs\nboot\n")
    for path in root.iterdir():
        path.chmod(0o644)
    net_daemon.lodge("net-define", net_daemon.write("n.xml", f"""<network><name>n</name><bridge name='br9'/>
      <ip address='10.79.9.1' netmask='255.255.255.0'><tftp root='{root}'/><dhcp>
      <range start='10.79.9.10' end='10.79.9.20'/><bootp file='boot.ipxe'/></dhcp></ip></network>"""))
    net_daemon.lodge("net-start", "n")
    net_daemon.define("web1", memory=256, boot=False, devices="<interface type='network'><source network='n'/>"
                      "<model type='virtio'/><boot order='1'/></interface>")
    net_daemon.lodge("start", "web1")
    console = net_daemon.console("web1")
    console.expect(lodgetest.READY, 300)
    net_daemon.lodge("destroy", "web1")
    net_daemon.lodge("net-destroy", "n")


GUEST = """<domain type='qemu'><name>w1</name><memory unit='MiB'>64</memory>
<os><type arch='x86_64' machine='q35'>hvm</type></os><devices><interface type='network'>
<source network='default'/><model type='virtio'/></interface></devices></domain>"""


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("setpriv"), reason="takes root to be somebody else")
def test_without_root():
    """A person's daemon has `default`, in user mode; ports are forwarded live."""
    home = pathlib.Path(tempfile.mkdtemp(prefix="lt-"))
    shutil.chown(home, 65534, 65534)
    (home / "w1.xml").write_text(GUEST)
    env = {"HOME": str(home), "XDG_RUNTIME_DIR": str(home), "PATH": os.environ["PATH"]}

    def lodge(*words):
        done = subprocess.run(["unshare", "-n", "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups",
                               lodgetest.LODGE, *map(str, words)], env=env, text=True, timeout=90, cwd=home,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        return done.stdout

    try:
        wait_until(lambda: re.search(r"default +active +yes", lodge("net-list", "--all")), 60, "default is there")
        lodge("define", home / "w1.xml")
        assert "reached by port-forward alone" in lodge("start", "w1")
        assert "leads to guest" in lodge("port-forward", "w1", "18080:80")
        assert "below 1024 are root's" in lodge("port-forward", "w1", "80:80")
        assert re.search(r"18080/tcp +w1 +80 +user +port-forward", lodge("port-forward-list"))
        assert [entry["port"] for entry in json.loads(lodge("port-forward-list", "--json"))["forwards"]] == ["18080/tcp"]
        lodge("net-destroy", "default")
        lodge("destroy", "w1")
        assert "not active: lodge net-start default" in lodge("start", "w1")
        assert "only root may make interfaces" in lodge("net-start", "default")
    finally:
        lodge("destroy", "w1")
        for lock in home.rglob("daemon.lock"):
            pid = int(lock.read_text())
            os.kill(pid, 15)
            wait_until(lambda p=pid: not lodgetest.is_alive(p), 60, "the daemon has ended")
        shutil.rmtree(home)
