"""Frames as a guest should not send them, through filters of this host: made by hand, sent from a namespace that is
on a bridge by a port with a filter, and looked for on the bridge's other port."""
import re
import socket
import struct
import subprocess
import sys

import pytest

from lodgetest import wait_until
from nettest import net_daemon  # noqa: F401  (a fixture)
from test_networks import Other

BINDING = """<filterbinding><owner><name>g</name><uuid>d54df46f-1ab5-4a22-8618-4560ef5fac2c</uuid></owner>
<portdev name='g1'/><mac address='52:54:00:00:00:07'/><filterref filter='{}'><parameter name='IP' value='10.0.0.7'/>
<parameter name='DHCPSERVER' value='10.0.0.9'/></filterref></filterbinding>"""
# Sends the frames of its words; with none, prints those that come, from the first to the one that says END.
SENDER = """import os, socket, sys
os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])  # frames of one processor do not overtake each other
link = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
link.bind(("eth0", 0))
for frame in sys.argv[1:]:
    link.send(bytes.fromhex(frame))
if len(sys.argv) == 1:
    link.settimeout(60)
    print("ready", flush=True)
    while True:
        frame = link.recv(4096)
        print(frame.hex(), flush=True)
        if b"END" in frame:
            break
"""
OURS, OTHER, FALSE, ALL = (bytes.fromhex(mac) for mac in ("525400000007", "525400000009", "525400000066", "ff" * 6))


def frame(kind, body, source=OURS, to=OTHER, tags=()):
    return to + source + b"".join(struct.pack("!HH", *tag) for tag in tags) + struct.pack("!H", kind) + body


def udp(address, target="10.0.0.9", ports=(5, 6), **how):
    """An IPv4 packet; without the checksum of UDP, which no bridge looks at."""
    return frame(0x800, struct.pack("!BBHHHBBH4s4s", 0x45, 0, 46, 1, 0, 64, 17, checksum(address, target),
                                    socket.inet_aton(address), socket.inet_aton(target)) +
                 struct.pack("!HHHH", *ports, 26, 0) + bytes(18), **how)


def checksum(address, target):
    words = struct.unpack("!4H", socket.inet_aton(address) + socket.inet_aton(target))
    total = 0x4500 + 46 + 1 + (64 << 8 | 17) + sum(words)
    total = (total >> 16) + (total & 0xffff)
    return ~(total + (total >> 16)) & 0xffff


def arp(operation, mac, address, target="10.0.0.9", **how):
    return frame(0x806, struct.pack("!HHBBH6s4s6s4s", 1, 0x800, 6, 4, operation, mac, socket.inet_aton(address),
                                    bytes(6), socket.inet_aton(target)) + bytes(18), **how)


def rarp(mac):
    return frame(0x8035, struct.pack("!HHBBH6s4s6s4s", 1, 0x800, 6, 4, 3, mac, bytes(4), mac, bytes(4)) + bytes(18),
                 to=ALL)


ADVERTISEMENT = frame(0x86dd, struct.pack("!IHBB", 6 << 28, 16, 58, 255) + socket.inet_pton(socket.AF_INET6, "fe80::7") +
                      socket.inet_pton(socket.AF_INET6, "ff02::1") + struct.pack("!BBH", 134, 0, 0) + bytes(12),
                      to=bytes.fromhex("333300000001"))
VLAN, QINQ = [(0x8100, 0)], [(0x88a8, 5), (0x8100, 6)]
FRAMES = {  # what it is: the frame, and who stops it; clean-traffic is made of the others
    "its own packet": (udp("10.0.0.7"), ""),
    "another's IP": (udp("10.0.0.66"), "clean-traffic no-ip-spoofing"),
    "another's MAC": (udp("10.0.0.7", source=FALSE), "clean-traffic no-mac-spoofing"),
    "a question for an address": (udp("0.0.0.0", "255.255.255.255", (68, 67), to=ALL), "no-mac-broadcast"),
    "a multicast": (udp("10.0.0.7", "224.0.0.5", to=bytes.fromhex("01005e000005")), "no-ip-multicast"),
    "its own ARP": (arp(1, OURS, "10.0.0.7", to=ALL), ""),
    "ARP with another's IP": (arp(2, OURS, "10.0.0.66"), "clean-traffic no-arp-spoofing"),
    "ARP with another's MAC": (arp(2, FALSE, "10.0.0.7"), "clean-traffic no-arp-spoofing"),
    "ARP to all with another's IP": (arp(2, OURS, "10.0.0.1", "10.0.0.1", to=ALL), "clean-traffic no-arp-spoofing"),
    "that it has moved": (rarp(OURS), ""),
    "that another has moved": (rarp(FALSE), "clean-traffic"),
    "another's IP in a VLAN": (udp("10.0.0.66", tags=VLAN), "clean-traffic"),
    "another's IP in two VLANs": (udp("10.0.0.66", tags=QINQ), "clean-traffic"),
    "another's ARP in a VLAN": (arp(2, OURS, "10.0.0.66", tags=VLAN), "clean-traffic"),
    "that it is the router": (ADVERTISEMENT, "clean-traffic"),
    "what is neither IP nor ARP": (frame(0x1234, bytes(46)), "clean-traffic"),
}


def run_in(other, *words, **how):
    return subprocess.Popen(["nsenter", f"--net=/proc/{other.holder.pid}/ns/net", "--", sys.executable, "-c", SENDER,
                             *words], text=True, **how)


def passed(guest, other):
    """Of FRAMES, those that arrive; the last that is sent is one that does."""
    # the last bytes tell them apart: what is longer than IP says would be cut
    marked = {name: data[:-5] + f"<{number:03}>".encode() for number, (name, (data, _)) in enumerate(FRAMES.items())}
    last = udp("10.0.0.7")[:-3] + b"END"
    listener = run_in(other, stdout=subprocess.PIPE)
    assert listener.stdout.readline()
    assert run_in(guest, *(data.hex() for data in [*marked.values(), last])).wait(60) == 0
    came = bytes.fromhex(listener.communicate(timeout=120)[0].replace("\n", ""))
    numbers = {int(number) for number in re.findall(rb"<(\d{3})>", came)}
    return {name for number, name in enumerate(FRAMES) if number in numbers}


@pytest.mark.parametrize("name", ["clean-traffic", "no-ip-spoofing", "no-mac-spoofing", "no-arp-spoofing",
                                  "no-mac-broadcast", "no-ip-multicast"])
def test_spoofing(net_daemon, name):
    net_daemon.sh("ip link add br0 type bridge && ip link set br0 up")
    guest, other = (Other(net_daemon, port).join("br0") for port in ("g1", "g2"))
    try:
        wait_until(lambda: net_daemon.sh("bridge link").count("state forwarding") == 2, 60, "the bridge has its ports")
        net_daemon.lodge("nwfilter-binding-create", net_daemon.write("binding.xml", BINDING.format(name)))
        through = passed(guest, other)
    finally:
        guest.close()
        other.close()
    stopped = {what for what, (_, filters) in FRAMES.items() if name in filters.split()}
    assert set(FRAMES) - through == stopped
