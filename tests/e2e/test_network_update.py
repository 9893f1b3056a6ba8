"""net-update through libvirt's protocol: every section and command, live and in the definition, and the
numbers that libvirt 9 gives for what cannot be."""
import re

import libvirt
import pytest

from nettest import net_daemon  # noqa: F401  (a fixture)
from virttest import connection

MODIFY, DELETE, LAST, FIRST = 1, 2, 3, 4
BRIDGE, DOMAIN, IP, HOST, RANGE, FORWARD, INTERFACE, PF, GROUP, DNS_HOST, TXT, SRV = range(1, 13)
LIVE, CONFIG, BOTH = 1, 2, 3
XML, INVALID, UNSUPPORTED = 27, 55, 84

NETWORK = """<network><name>n</name><forward mode='nat'/><bridge name='br-n' delay='0'/>
  <dns><txt name='t' value='v'/><srv service='s' protocol='tcp' domain='d' target='t' port='1'/>
  <host ip='10.50.0.20'><hostname>h1</hostname><hostname>h2</hostname></host></dns>
  <ip address='10.50.0.1' netmask='255.255.255.0'><dhcp><range start='10.50.0.2' end='10.50.0.100'/>
  <host mac='52:54:00:00:00:01' name='a' ip='10.50.0.10'/><host mac='52:54:00:00:00:02' name='b' ip='10.50.0.11'/>
  </dhcp></ip><ip address='10.51.0.1' netmask='255.255.255.0'/>
  <ip family='ipv6' address='fd50::1' prefix='64'><dhcp><range start='fd50::10' end='fd50::20'/></dhcp></ip>
  <portgroup name='p1' default='yes'/><portgroup name='p2'/></network>"""
POOL = "<network><name>pool</name><forward mode='passthrough'><interface dev='lo'/></forward></network>"

# network, command, section, index of <ip>, element, flags; the number of the error, or what stands in the
# document afterwards, or with ! before it does not
CASES = [
    *[("n", command, section, -1, f"<{word}/>", CONFIG, UNSUPPORTED) for command in (MODIFY, DELETE, LAST, FIRST)
      for section, word in ((BRIDGE, "bridge"), (DOMAIN, "domain"), (IP, "ip"), (FORWARD, "forward"), (PF, "pf"))],
    ("n", LAST, 0, -1, "<x/>", CONFIG, UNSUPPORTED),
    ("n", LAST, 13, -1, "<x/>", CONFIG, UNSUPPORTED),
    ("n", 9, HOST, -1, "<host/>", CONFIG, UNSUPPORTED),
    *[("n", MODIFY, section, -1, xml, CONFIG, UNSUPPORTED) for section, xml in (
        (RANGE, "<range start='10.50.0.2' end='10.50.0.9'/>"), (INTERFACE, "<interface dev='eth0'/>"),
        (DNS_HOST, "<host ip='10.50.0.20'><hostname>x</hostname></host>"), (TXT, "<txt name='t' value='w'/>"),
        (SRV, "<srv service='s' protocol='tcp'/>"))],

    ("n", LAST, HOST, -1, "<host mac='52:54:00:00:00:09' name='z' ip='10.50.0.19'/>", BOTH, "10.50.0.19"),
    ("n", LAST, HOST, -1, "<host mac='52:54:00:00:00:09' name='z' ip='10.50.0.19'/>", BOTH, INVALID),
    ("n", FIRST, HOST, 0, "<host mac='52:54:00:00:00:08' ip='10.50.0.18'/>", LIVE, "</?dhcp><host mac='52:54:00:00:00:08'"
     "|range [^>]*><host mac='52:54:00:00:00:08'"),
    ("n", MODIFY, HOST, -1, "<host mac='52:54:00:00:00:01' name='q' ip='10.50.0.12'/>", BOTH, "name='q'"),
    ("n", MODIFY, HOST, -1, "<host mac='52:54:00:00:00:07' ip='10.50.0.11'/>", BOTH, "00:07'"),
    ("n", MODIFY, HOST, -1, "<host mac='52:54:00:00:00:77' name='n' ip='10.50.0.99'/>", BOTH, INVALID),
    ("n", LAST, HOST, -1, "<host mac='zz' ip='10.50.0.40'/>", BOTH, XML),
    ("n", LAST, HOST, -1, "<host mac='52:54:00:00:00:41'/>", BOTH, XML),
    ("n", LAST, HOST, -1, "<host ip='10.50.0.41'/>", BOTH, XML),
    ("n", LAST, HOST, -1, "<host mac='52:54:00:00:00:40' ip='bad'/>", BOTH, XML),
    ("n", LAST, HOST, 7, "<host mac='52:54:00:00:00:40' ip='10.50.0.40'/>", BOTH, INVALID),
    ("n", LAST, HOST, -1, "<range start='1' end='2'/>", BOTH, XML),
    ("n", LAST, HOST, -1, "not a document", BOTH, 35),
    ("n", LAST, HOST, 2, "<host name='six' ip='fd50::12'/>", BOTH, "fd50::12"),
    ("n", DELETE, HOST, -1, "<host mac='52:54:00:00:00:09'/>", BOTH, "!10.50.0.19"),
    ("n", DELETE, HOST, -1, "<host mac='52:54:00:00:00:09'/>", BOTH, INVALID),
    # some clients look for what they gave, letter by letter
    ("n", LAST, HOST, -1, "<host mac='52:54:00:AB:00:0F' ip='10.50.0.44'/>", BOTH, "mac='52:54:00:AB:00:0F'"),
    ("n", LAST, HOST, -1, "<host mac='52:54:00:ab:00:0f' ip='10.50.0.45'/>", BOTH, INVALID),
    ("n", MODIFY, HOST, -1, "<host mac='52:54:00:AB:00:0F' ip='10.50.0.46'/>", BOTH, "10.50.0.46"),
    ("n", DELETE, HOST, -1, "<host mac='52:54:00:ab:00:0f'/>", BOTH, "!10.50.0.46"),

    ("n", LAST, RANGE, -1, "<range start='10.50.0.150' end='10.50.0.160'/>", BOTH, "10.50.0.150"),
    ("n", LAST, RANGE, -1, "<range start='10.50.0.150' end='10.50.0.160'/>", BOTH, INVALID),
    ("n", LAST, RANGE, -1, "<range start='10.50.0.190'/>", BOTH, XML),
    ("n", DELETE, RANGE, 0, "<range start='10.50.0.2' end='10.50.0.100'/>", BOTH, "!10.50.0.100"),

    ("n", LAST, INTERFACE, -1, "<interface dev='lo'/>", BOTH, "<interface dev='lo'/>"),
    ("n", DELETE, INTERFACE, -1, "<interface dev='lo'/>", BOTH, "!dev='lo'"),
    ("pool", FIRST, INTERFACE, -1, "<interface dev='eth7'/>", BOTH, "dev='eth7'"),
    ("pool", FIRST, INTERFACE, -1, "<interface dev='eth7'/>", BOTH, INVALID),
    ("pool", LAST, INTERFACE, -1, "<interface/>", BOTH, XML),
    ("pool", DELETE, INTERFACE, -1, "<interface dev='eth7'/>", BOTH, "!eth7"),

    ("n", LAST, GROUP, -1, "<portgroup name='p3'/>", BOTH, "name='p3'"),
    ("n", LAST, GROUP, -1, "<portgroup name='p3'/>", BOTH, INVALID),
    ("n", MODIFY, GROUP, -1, "<portgroup name='p3'><bandwidth><inbound average='1000'/></bandwidth></portgroup>",
     BOTH, "average='1000'"),
    ("n", MODIFY, GROUP, -1, "<portgroup name='p9'/>", BOTH, INVALID),
    ("n", LAST, GROUP, -1, "<portgroup/>", BOTH, XML),
    ("n", LAST, GROUP, -1, "<portgroup name='p2'><vlan><tag id='5000'/></vlan></portgroup>", BOTH, XML),
    ("n", DELETE, GROUP, -1, "<portgroup name='p3'/>", BOTH, "!name='p3'"),

    ("n", LAST, DNS_HOST, -1, "<host ip='10.50.0.33'><hostname>n1</hostname></host>", BOTH, "10.50.0.33"),
    ("n", FIRST, DNS_HOST, -1, "<host ip='10.50.0.33'><hostname>n2</hostname></host>", BOTH, INVALID),
    ("n", DELETE, DNS_HOST, -1, "<host ip='10.50.0.34'/>", BOTH, INVALID),
    ("n", DELETE, DNS_HOST, -1, "<host><hostname>h1</hostname></host>", BOTH, "!10.50.0.20"),

    ("n", FIRST, TXT, -1, "<txt name='t2' value='w'/>", BOTH, "name='t2'"),
    ("n", LAST, TXT, -1, "<txt name='t2' value='x'/>", BOTH, INVALID),
    ("n", DELETE, TXT, -1, "<txt name='t2'/>", BOTH, "!name='t2'"),

    ("n", LAST, SRV, -1, "<srv service='s2' protocol='udp'/>", BOTH, "service='s2'"),
    ("n", LAST, SRV, -1, "<srv service='s'/>", BOTH, XML),
    ("n", LAST, SRV, -1, "<srv service='s' protocol='tcp' target='t' port='70000'/>", BOTH, XML),
    ("n", DELETE, SRV, -1, "<srv service='s2'/>", BOTH, "!service='s2'"),
]


def document(network, inactive):
    return re.sub(r">\s+<", "><", network.XMLDesc(libvirt.VIR_NETWORK_XML_INACTIVE if inactive else 0))


def test_every_section(net_daemon):
    with connection(net_daemon) as conn:
        networks = {"n": conn.networkDefineXML(NETWORK), "pool": conn.networkDefineXML(POOL)}
        for network in networks.values():
            network.create()
        for case in CASES:
            name, command, section, parent, xml, flags, wanted = case
            network = networks[name]
            before = [document(network, inactive) for inactive in (False, True)]
            if isinstance(wanted, int):
                with pytest.raises(libvirt.libvirtError) as refused:
                    network.update(command, section, parent, xml, flags)
                assert refused.value.get_error_code() == wanted, f"{case}: {refused.value}"
                assert before == [document(network, inactive) for inactive in (False, True)], case
                continue
            network.update(command, section, parent, xml, flags)
            for flag, inactive in ((LIVE, False), (CONFIG, True)):
                now = document(network, inactive)
                if flags & flag:
                    assert bool(re.search(wanted.removeprefix("!"), now)) != wanted.startswith("!"), f"{case}: {now}"
                else:
                    assert now == before[inactive], case
        config = (net_daemon.root / "run/networks/n.conf").read_text()
        assert "dhcp-range=10.50.0.150,10.50.0.160" in config and "10.50.0.100" not in config
        networks["pool"].destroy()
        with pytest.raises(libvirt.libvirtError) as refused:
            networks["pool"].update(LAST, INTERFACE, -1, "<interface dev='e'/>", LIVE)
        assert refused.value.get_error_code() == INVALID


def test_device_of_nat(net_daemon):
    """What a NAT network goes out by changes while it is active."""
    net_daemon.lodge("net-define", net_daemon.write("n.xml", NETWORK))
    net_daemon.lodge("net-start", "n")
    net_daemon.lodge("net-update", "n", "add", "forward-interface", "<interface dev='lo'/>", "--live")
    assert 'oifname "lo"' in net_daemon.sh("nft list chain inet lodge from_br-n")
    assert 'oifname "lo"' in net_daemon.sh("nft list chain inet lodge nat_br-n")
    net_daemon.lodge("net-update", "n", "delete", "forward-interface", "<interface dev='lo'/>", "--live")
    assert 'oifname "lo"' not in net_daemon.sh("nft list table inet lodge")
