"""Guests on a bridge of Open vSwitch, with its datapath in user space, which needs nothing of the kernel."""
import shutil
import subprocess

import pytest

import lodgetest
import nettest
from lodgetest import wait_until

INTERFACE = """<interface type='bridge'><mac address='52:54:00:00:0a:01'/><source bridge='ovsbr0'/>
<virtualport type='openvswitch'><parameters interfaceid='5d744f21-ba4a-4d6e-bdb2-30a35ff3207d'/></virtualport>
<vlan><tag id='42'/></vlan><target dev='port0'/><model type='virtio'/></interface>"""
NETWORK = """<network><name>ovs</name><forward mode='bridge'/><bridge name='ovsbr0'/>
<virtualport type='openvswitch'/><portgroup name='green'><vlan><tag id='43'/></vlan></portgroup></network>"""


class OvsDaemon(nettest.NetDaemon):
    """It sees a /run of its own, where this test's switch listens."""

    def __init__(self):
        super().__init__()
        self.holder.kill()
        self.holder.wait()
        script = "mount -t tmpfs none /run && mkdir /run/openvswitch && ip link set lo up && echo && exec sleep inf"
        self.holder = subprocess.Popen(["unshare", "-n", "-m", "sh", "-c", script], env=self.env,
                                       stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        assert self.holder.stdout.readline()

    def inside(self, *words):
        return ["nsenter", f"--mount=/proc/{self.holder.pid}/ns/mnt", *super().inside(*words)[1:]]

    def start_switch(self):
        folder = self.root / "ovs"
        folder.mkdir()
        self.sh(f"cd {folder} && ovsdb-tool create conf.db /usr/share/openvswitch/vswitch.ovsschema && "
                f"ovsdb-server conf.db --remote=punix:/run/openvswitch/db.sock --pidfile --detach --no-chdir "
                f"--log-file={folder}/db.log && ovs-vsctl --no-wait init && "
                f"ovs-vswitchd --disable-system --pidfile --detach --no-chdir --log-file={folder}/switch.log")
        self.sh("ovs-vsctl --timeout=60 add-br ovsbr0 -- set bridge ovsbr0 datapath_type=netdev -- "
                "add-port ovsbr0 h42 tag=42 -- set Interface h42 type=internal -- "
                "add-port ovsbr0 h43 tag=43 -- set Interface h43 type=internal && "
                "ip addr add 10.55.42.1/24 dev h42 && ip link set h42 up && "
                "ip addr add 10.55.43.1/24 dev h43 && ip link set h43 up")


@pytest.mark.skipif(not shutil.which("ovs-vswitchd"), reason="openvswitch-switch is not installed")
def test_open_vswitch():
    """A guest is in its VLAN and in no other, by its own words and by its portgroup's; its port goes with it,
    also where the daemon was killed meanwhile."""
    nettest.need_root()
    daemon = OvsDaemon()
    try:
        daemon.start_switch()
        daemon.start()
        check(daemon)
    finally:
        wrong = daemon.close()
    assert not wrong, "\n".join(wrong)


def check(daemon):
    daemon.define("web1", devices=INTERFACE)
    daemon.lodge("start", "web1")
    console = daemon.console("web1")
    console.send("\r")
    console.expect(lodgetest.PROMPT)
    console.run("ip link set eth0 up; ip addr add 10.55.42.7/24 dev eth0; ip addr add 10.55.43.7/24 dev eth0")
    wait_until(lambda: "1 packets received" in console.run("ping -c 1 -W 2 10.55.42.1"), 60, "its VLAN is reached")
    assert "1 packets received" not in console.run("ping -c 1 -W 2 10.55.43.1"), "another VLAN is reached"
    said = daemon.sh("ovs-vsctl get Port port0 tag; ovs-vsctl get Interface port0 external_ids")
    assert said.startswith("42\n") and "52:54:00:00:0a:01" in said and "5d744f21-ba4a-4d6e" in said
    daemon.restart()
    wait_until(lambda: daemon.state("web1") == "running", 60, "the guest is taken up")
    daemon.lodge("destroy", "web1")
    assert "port0" not in daemon.sh("ovs-vsctl list-ports ovsbr0")

    daemon.lodge("net-define", daemon.write("ovs.xml", NETWORK))
    daemon.lodge("net-start", "ovs")
    daemon.define("web2", boot=False, devices="<interface type='network'><source network='ovs' portgroup='green'/>"
                  "<target dev='port1'/><model type='virtio'/></interface>")
    daemon.lodge("start", "web2")
    assert daemon.sh("ovs-vsctl get Port port1 tag").strip() == "43"
    daemon.lodge("destroy", "web2")
    assert "port1" not in daemon.sh("ovs-vsctl list-ports ovsbr0")
