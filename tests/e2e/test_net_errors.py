"""Wrong calls about networks, their ports, filters, bindings and interfaces: what libvirt's clients get for
each is a number, and who speaks. The table was taken from libvirt 9.0 once."""
import libvirt as lv

from nettest import net_daemon  # noqa: F401  (a fixture)
from virttest import connection

U = "11111111-2222-4333-8444-6666666666"
N = """<network><name>{name}</name><uuid>{uuid}</uuid><bridge name='{br}' stp='on' delay='0'/>
<ip address='10.{s}.1.1' netmask='255.255.255.0'><dhcp><range start='10.{s}.1.10' end='10.{s}.1.20'/>
<host mac='52:54:00:00:00:01' name='h1' ip='10.{s}.1.30'/></dhcp></ip></network>"""
F = """<filter name='{name}' chain='root'><uuid>{uuid}</uuid>
<rule action='drop' direction='in' priority='500'><mac/></rule></filter>"""
PORT = """<networkport><uuid>{u}</uuid><owner><name>g1</name><uuid>{o}</uuid></owner>
<mac address='52:54:00:00:09:09'/></networkport>"""
B = """<filterbinding><owner><name>g1</name><uuid>{u}</uuid></owner><portdev name='{dev}'/>
<mac address='52:54:00:00:09:0a'/><filterref filter='clean-traffic'/></filterbinding>"""
H = "<host mac='52:54:00:00:00:02' name='h2' ip='10.91.1.31'/>"
ADD, DEL, MOD = 3, 2, 1


def net(name="n1", n=1, br="nb1", s=91):
    return N.format(name=name, uuid=f"{U}{n:02d}", br=br, s=s)


def flt(name="f1", n=31):
    return F.format(name=name, uuid=f"{U}{n:02d}")


def port(n=61):
    return PORT.format(u=f"{U}{n:02d}", o=f"{U}62")


def bind(dev="tapx9"):
    return B.format(u=f"{U}66", dev=dev)


def but(document):
    """A function that makes documents which would do but for one thing."""
    def change(old, new):
        assert old in document, old
        return document.replace(old, new, 1)
    return change


nbut, fbut, pbut, bbut = but(net("b", 5, "nb5", 95)), but(flt("fb", 35)), but(port(63)), but(bind("tapx8"))


def ngone(c):
    n = c.networkDefineXML(net("gone", 77, "nb7", 97))
    n.undefine()
    return n


def fgone(c):
    f = c.nwfilterDefineXML(flt("fgone", 78))
    f.undefine()
    return f


def active(c):
    return c.networkLookupByName("na")


def pgone(c):
    p = active(c).portCreateXML(port(64))
    p.delete()
    return p


def UP(command, section, xml, flags=0, index=-1):
    return lambda c, n, f: n.update(command, section, index, xml, flags)


# what is wrong, libvirt's number, who speaks (19: networks, 33: filters, 26: interfaces, 5: XML), the call
CASES = [
    # ---- who is not there ----
    ("lookup name", 43, 19, lambda c, n, f: c.networkLookupByName("nobody")),
    ("lookup empty", 43, 19, lambda c, n, f: c.networkLookupByName("")),
    ("lookup uuid", 43, 19, lambda c, n, f: c.networkLookupByUUIDString(U + "99")),
    ("lookup bad uuid", 8, 19, lambda c, n, f: c.networkLookupByUUIDString("no-uuid")),
    ("gone start", 43, 19, lambda c, n, f: ngone(c).create()),
    ("gone xml", 43, 19, lambda c, n, f: ngone(c).XMLDesc()),
    ("gone undefine", 43, 19, lambda c, n, f: ngone(c).undefine()),
    ("gone destroy", 43, 19, lambda c, n, f: ngone(c).destroy()),
    ("gone autostart", 43, 19, lambda c, n, f: ngone(c).autostart()),
    ("gone setautostart", 43, 19, lambda c, n, f: ngone(c).setAutostart(1)),
    ("gone isactive", 43, 19, lambda c, n, f: ngone(c).isActive()),
    ("gone ispersistent", 43, 19, lambda c, n, f: ngone(c).isPersistent()),
    ("gone bridge", 43, 19, lambda c, n, f: ngone(c).bridgeName()),
    ("gone leases", 43, 19, lambda c, n, f: ngone(c).DHCPLeases()),
    ("gone update", 43, 19, lambda c, n, f: ngone(c).update(ADD, 4, -1, H, 0)),
    ("gone ports", 43, 19, lambda c, n, f: ngone(c).listAllPorts()),
    ("gone port create", 43, 19, lambda c, n, f: ngone(c).portCreateXML(port())),
    ("gone port lookup", 43, 19, lambda c, n, f: ngone(c).portLookupByUUIDString(U + "61")),
    # ---- state ----
    ("off destroy", 55, 19, lambda c, n, f: n.destroy()),
    ("on leases bad mac", 44, 19, lambda c, n, f: active(c).DHCPLeases("nomac")),
    ("leases flags", 8, 19, lambda c, n, f: active(c).DHCPLeases(None, 1 << 10)),
    ("off ports", 55, 19, lambda c, n, f: n.listAllPorts()),
    ("off port create", 55, 19, lambda c, n, f: n.portCreateXML(port())),
    ("on start", 55, 19, lambda c, n, f: active(c).create()),
    ("no bridge", 1, 19, lambda c, n, f: c.networkLookupByName("npt").bridgeName()),
    ("transient autostart", 55, 19, lambda c, n, f: c.networkLookupByName("nt").setAutostart(1)),
    ("transient undefine", 55, 19, lambda c, n, f: c.networkLookupByName("nt").undefine()),
    # ---- clashes ----
    ("define name clash", 9, 19, lambda c, n, f: c.networkDefineXML(net("n1", 2))),
    ("define bridge clash", 1, 19, lambda c, n, f: c.networkDefineXML(net("other", 41, "nb1", 98))),
    ("create name clash", 9, 19, lambda c, n, f: c.networkCreateXML(net("na", 2, "nb44", 44))),
    ("create active", 55, 19, lambda c, n, f: c.networkCreateXML(net("na", 3, "nb3", 93))),
    ("create bridge clash", 1, 19, lambda c, n, f: c.networkCreateXML(net("other", 42, "nb3", 98))),
    ("create subnet clash", 1, 0, lambda c, n, f: c.networkCreateXML(net("other", 43, "nb43", 93))),
    # ---- documents ----
    ("xml empty", 35, 19, lambda c, n, f: c.networkDefineXML("")),
    ("xml broken", 35, 19, lambda c, n, f: c.networkDefineXML("<network><name>")),
    ("xml root", 27, 5, lambda c, n, f: c.networkDefineXML("<domain/>")),
    ("xml no name", 21, 19, lambda c, n, f: c.networkDefineXML("<network/>")),
    ("xml empty name", 21, 19, lambda c, n, f: c.networkDefineXML(nbut("<name>b</name>", "<name></name>"))),
    ("xml slash name", 35, 5, lambda c, n, f: c.networkDefineXML(nbut("<name>b</name>", "<name>a/b</name>"))),
    ("xml newline name", 35, 5,
     lambda c, n, f: c.networkDefineXML(nbut("<name>b</name>", "<name>a\nb</name>"))),
    ("xml bad uuid", 1, 19, lambda c, n, f: c.networkDefineXML(nbut(U + "05", "zzz"))),
    ("xml bad delay", 27, 19, lambda c, n, f: c.networkDefineXML(nbut("delay='0'", "delay='soon'"))),
    ("xml bad mode", 67, 19,
     lambda c, n, f: c.networkDefineXML(nbut("<bridge", "<forward mode='moon'/><bridge"))),
    ("xml bridge+ip", 27, 19,
     lambda c, n, f: c.networkDefineXML(nbut("<bridge", "<forward mode='bridge'/><bridge"))),
    ("xml bad ip", 27, 19, lambda c, n, f: c.networkDefineXML(nbut("10.95.1.1'", "10.95.1.999'"))),
    ("xml no ip", 27, 19, lambda c, n, f: c.networkDefineXML(nbut("address='10.95.1.1' ", ""))),
    ("xml bad netmask", 1, 0, lambda c, n, f: c.networkDefineXML(nbut("255.255.255.0", "255.0.255.0"))),
    ("xml mask+prefix", 67, 19, lambda c, n, f: c.networkDefineXML(nbut("netmask=", "prefix='24' netmask="))),
    ("xml bad prefix", 67, 19,
     lambda c, n, f: c.networkDefineXML(nbut("netmask='255.255.255.0'", "prefix='77'"))),
    ("xml bad family", 27, 19, lambda c, n, f: c.networkDefineXML(nbut("<ip ", "<ip family='ipv9' "))),
    ("xml v6 mask", 67, 19, lambda c, n, f: c.networkDefineXML(nbut("<ip ", "<ip family='ipv6' "))),
    ("xml range outside", 1, 0,
     lambda c, n, f: c.networkDefineXML(nbut("end='10.95.1.20'", "end='10.96.1.20'"))),
    ("xml range order", 1, 0,
     lambda c, n, f: c.networkDefineXML(nbut("end='10.95.1.20'", "end='10.95.1.2'"))),
    ("xml range network", 1, 0,
     lambda c, n, f: c.networkDefineXML(nbut("start='10.95.1.10'", "start='10.95.1.0'"))),
    ("xml range broadcast", 1, 0,
     lambda c, n, f: c.networkDefineXML(nbut("end='10.95.1.20'", "end='10.95.1.255'"))),
    ("xml range no end", 27, 19, lambda c, n, f: c.networkDefineXML(nbut(" end='10.95.1.20'", ""))),
    ("xml host bad mac", 27, 19, lambda c, n, f: c.networkDefineXML(nbut("52:54:00:00:00:01", "52:54:00"))),
    ("xml host multicast", 27, 19,
     lambda c, n, f: c.networkDefineXML(nbut("52:54:00:00:00:01", "01:54:00:00:00:01"))),
    ("xml host bad ip", 27, 19, lambda c, n, f: c.networkDefineXML(nbut("ip='10.95.1.30'", "ip='x'"))),
    ("xml host bad name", 27, 19, lambda c, n, f: c.networkDefineXML(nbut("name='h1'", "name='_h 1'"))),
    ("xml host nothing", 27, 19,
     lambda c, n, f: c.networkDefineXML(nbut("mac='52:54:00:00:00:01' name='h1' ", ""))),
    ("xml bad mtu", 27, 19, lambda c, n, f: c.networkDefineXML(nbut("<bridge", "<mtu size='x'/><bridge"))),
    ("xml bad mac", 27, 19, lambda c, n, f: c.networkDefineXML(nbut("<bridge", "<mac address='x'/><bridge"))),
    ("xml mac multicast", 27, 19,
     lambda c, n, f: c.networkDefineXML(nbut("<bridge", "<mac address='01:54:00:00:00:01'/><bridge"))),
    ("xml vlan range", 27, 0,
     lambda c, n, f: c.networkDefineXML(nbut("<bridge", "<vlan><tag id='5000'/></vlan><bridge"))),
    ("xml vlan trunk no", 27, 0,
     lambda c, n, f: c.networkDefineXML(nbut("<bridge",
      "<vlan trunk='no'><tag id='5'/><tag id='6'/></vlan><bridge"))),
    ("xml two portgroups", 67, 19,
     lambda c, n, f: c.networkDefineXML(nbut("<bridge", "<portgroup name='a'/><portgroup name='a'/><bridge"))),
    ("xml two defaults", 67, 19,
     lambda c, n, f: c.networkDefineXML(nbut("<bridge",
      "<portgroup name='a' default='yes'/><portgroup name='b' default='yes'/><bridge"))),
    ("xml portgroup noname", 27, 19,
     lambda c, n, f: c.networkDefineXML(nbut("<bridge", "<portgroup/><bridge"))),
    ("xml bandwidth", 35, 0,
     lambda c, n, f: c.networkDefineXML(nbut("<bridge", "<bandwidth><inbound peak='5'/></bandwidth><bridge"))),
    ("xml bandwidth bad", 67, 0,
     lambda c, n, f: c.networkDefineXML(nbut("<bridge",
      "<bandwidth><inbound average='x'/></bandwidth><bridge"))),
    ("xml bandwidth floor", 67, 0,
     lambda c, n, f: c.networkDefineXML(nbut("<bridge",
      "<bandwidth><inbound average='5' floor='3'/></bandwidth><bridge"))),
    ("xml dns bad host", 35, 19,
     lambda c, n, f: c.networkDefineXML(nbut("<bridge",
      "<dns><host ip='x'><hostname>a</hostname></host></dns><bridge"))),
    ("xml dns host empty", 35, 19,
     lambda c, n, f: c.networkDefineXML(nbut("<bridge", "<dns><host ip='1.2.3.4'/></dns><bridge"))),
    ("xml dns txt", 35, 19,
     lambda c, n, f: c.networkDefineXML(nbut("<bridge", "<dns><txt value='x'/></dns><bridge"))),
    ("xml dns srv", 35, 19,
     lambda c, n, f: c.networkDefineXML(nbut("<bridge", "<dns><srv protocol='tcp'/></dns><bridge"))),
    ("xml dns fwd", 27, 19,
     lambda c, n, f: c.networkDefineXML(nbut("<bridge", "<dns><forwarder/></dns><bridge"))),
    ("xml nat addr", 1, 0,
     lambda c, n, f: c.networkDefineXML(nbut("<bridge",
      "<forward mode='nat'><nat><address start='1.2.3.9' end='1.2.3.4'/></nat></forward><bridge"))),
    ("xml nat route", 27, 19,
     lambda c, n, f: c.networkDefineXML(nbut("<bridge",
      "<forward mode='route'><nat><port start='1' end='4'/></nat></forward><bridge"))),
    ("xml route", 27, 19,
     lambda c, n, f: c.networkDefineXML(nbut("<bridge", "<route address='10.0.0.0' prefix='8'/><bridge"))),
    ("xml route gw", 67, 19,
     lambda c, n, f: c.networkDefineXML(nbut("</network>",
      "<route address='10.0.0.0' prefix='8' gateway='1.2.3.4'/></network>"))),
    ("xml validate", 92, 5, lambda c, n, f: c.networkDefineXMLFlags(nbut("<bridge", "<toaster/><bridge"), 1)),
    ("xml validate create", 92, 5,
     lambda c, n, f: c.networkCreateXMLFlags(nbut("<bridge", "<toaster/><bridge"), 1)),
    ("define flags", 8, 19, lambda c, n, f: c.networkDefineXMLFlags(net("b", 5, "nb5", 95), 1 << 20)),
    ("create flags", 8, 19, lambda c, n, f: c.networkCreateXMLFlags(net("b", 5, "nb5", 95), 1 << 20)),
    ("xml flags", 8, 19, lambda c, n, f: n.XMLDesc(1 << 20)),
    ("list flags", 8, 19, lambda c, n, f: c.listAllNetworks(1 << 28)),
    ("ports flags", 8, 19, lambda c, n, f: active(c).listAllPorts(1 << 20)),
    # ---- update ----
    ("upd section 0", 84, 19, UP(ADD, 0, H)),
    ("upd section many", 84, 19, UP(ADD, 99, H)),
    ("upd bridge", 84, 19, UP(ADD, 1, "<bridge name='x'/>")),
    ("upd domain", 84, 19, UP(ADD, 2, "<domain name='x'/>")),
    ("upd ip", 84, 19, UP(ADD, 3, "<ip address='10.1.1.1'/>")),
    ("upd command 0", 84, 19, UP(0, 4, H)),
    ("upd command 9", 84, 19, UP(9, 4, H)),
    ("upd broken xml", 35, 19, UP(ADD, 4, "<host")),
    ("upd empty xml", 35, 19, UP(ADD, 4, "")),
    ("upd wrong element", 27, 19, UP(ADD, 4, "<range start='10.91.1.40' end='10.91.1.50'/>")),
    ("upd host dup", 55, 19, UP(ADD, 4, "<host mac='52:54:00:00:00:01' ip='10.91.1.33'/>", 2)),
    ("upd host del none", 55, 19, UP(DEL, 4, H, 2)),
    ("upd host mod none", 55, 19, UP(MOD, 4, H, 2)),
    ("upd host idx", 55, 19, UP(ADD, 4, H, 2, 7)),
    ("upd host bad mac", 27, 19, UP(ADD, 4, "<host mac='x' ip='10.91.1.33'/>", 2)),
    ("upd range mod", 84, 19, UP(MOD, 5, "<range start='10.91.1.10' end='10.91.1.21'/>", 2)),
    ("upd range dup", 55, 19, UP(ADD, 5, "<range start='10.91.1.10' end='10.91.1.20'/>", 2)),
    ("upd range del none", 55, 19, UP(DEL, 5, "<range start='10.91.1.100' end='10.91.1.120'/>", 2)),
    ("upd range outside", 1, 0, UP(ADD, 5, "<range start='10.92.1.100' end='10.92.1.120'/>", 2)),
    ("upd forward mod", 84, 19, UP(MOD, 6, "<forward mode='nat'/>", 2)),
    ("upd fwd iface del", 55, 19, UP(DEL, 7, "<interface dev='eth9'/>", 2)),
    ("upd fwd pf", 84, 19, UP(ADD, 8, "<pf dev='eth9'/>", 2)),
    ("upd portgroup del none", 55, 19, UP(DEL, 9, "<portgroup name='x'/>", 2)),
    ("upd portgroup mod none", 55, 19, UP(MOD, 9, "<portgroup name='x'/>", 2)),
    ("upd dns host del none", 55, 19, UP(DEL, 10, "<host ip='10.91.1.9'><hostname>q</hostname></host>", 2)),
    ("upd dns host mod", 84, 19, UP(MOD, 10, "<host ip='10.91.1.9'><hostname>q</hostname></host>", 2)),
    ("upd dns txt del none", 55, 19, UP(DEL, 11, "<txt name='x' value='y'/>", 2)),
    ("upd dns txt mod", 84, 19, UP(MOD, 11, "<txt name='x' value='y'/>", 2)),
    ("upd dns srv del none", 55, 19, UP(DEL, 12, "<srv service='x' protocol='tcp'/>", 2)),
    ("upd dns srv mod", 84, 19, UP(MOD, 12, "<srv service='x' protocol='tcp'/>", 2)),
    ("upd live off", 55, 19, UP(ADD, 4, H, 1)),
    ("upd flags", 8, 19, UP(ADD, 4, H, 1 << 20)),
    ("upd transient config", 55, 19,
     lambda c, n, f: c.networkLookupByName("nt").update(ADD, 4, -1, H.replace(".91.", ".94."), 2)),
    # ---- ports ----
    ("port lookup none", 107, 19, lambda c, n, f: active(c).portLookupByUUIDString(U + "98")),
    ("port lookup bad", 8, 19, lambda c, n, f: active(c).portLookupByUUIDString("zzz")),
    ("port xml broken", 35, 19, lambda c, n, f: active(c).portCreateXML("<networkport")),
    ("port xml empty", 35, 19, lambda c, n, f: active(c).portCreateXML("")),
    ("port xml root", 27, 5, lambda c, n, f: active(c).portCreateXML("<x/>")),
    ("port no owner", 1, 19,
     lambda c, n, f: active(c).portCreateXML("<networkport><mac address='52:54:00:00:09:09'/></networkport>")),
    ("port no mac", 1, 19,
     lambda c, n, f: active(c).portCreateXML(pbut("<mac address='52:54:00:00:09:09'/>", ""))),
    ("port bad mac", 1, 19, lambda c, n, f: active(c).portCreateXML(pbut("52:54:00:00:09:09", "x"))),
    ("port bad uuid", 1, 19, lambda c, n, f: active(c).portCreateXML(pbut(U + "63", "x"))),
    ("port bad plug", 27, 5,
     lambda c, n, f: active(c).portCreateXML(pbut("</networkport>", "<plug type='moon'/></networkport>"))),
    ("port flags", 8, 19, lambda c, n, f: active(c).portCreateXML(port(63), 1 << 20)),
    ("port validate", 92, 5,
     lambda c, n, f: active(c).portCreateXML(pbut("</networkport>", "<x/></networkport>"), 2)),
    ("port dup", 106, 19, lambda c, n, f: active(c).portCreateXML(port(61))),
    ("port gone xml", 107, 19, lambda c, n, f: pgone(c).XMLDesc()),
    ("port gone delete", 107, 19, lambda c, n, f: pgone(c).delete()),
    ("port gone params", 107, 19, lambda c, n, f: pgone(c).parameters()),
    ("port gone set", 107, 19, lambda c, n, f: pgone(c).setParameters({"inbound.average": 5})),
    ("port set flags", 8, 19,
     lambda c, n, f: active(c).portLookupByUUIDString(U + "61").setParameters({"inbound.average": 5}, 1 << 20)),
    ("port xml flags", 8, 19, lambda c, n, f: active(c).portLookupByUUIDString(U + "61").XMLDesc(1 << 20)),
    ("port delete flags", 8, 19, lambda c, n, f: active(c).portLookupByUUIDString(U + "61").delete(1 << 20)),
    # ---- filters ----
    ("flt lookup", 62, 33, lambda c, n, f: c.nwfilterLookupByName("nofilter")),
    ("flt lookup empty", 62, 33, lambda c, n, f: c.nwfilterLookupByName("")),
    ("flt lookup uuid", 62, 33, lambda c, n, f: c.nwfilterLookupByUUIDString(U + "99")),
    ("flt lookup bad uuid", 8, 33, lambda c, n, f: c.nwfilterLookupByUUIDString("zz")),
    ("flt gone xml", 62, 33, lambda c, n, f: fgone(c).XMLDesc()),
    ("flt gone undefine", 62, 33, lambda c, n, f: fgone(c).undefine()),
    ("flt xml empty", 35, 33, lambda c, n, f: c.nwfilterDefineXML("")),
    ("flt xml broken", 35, 33, lambda c, n, f: c.nwfilterDefineXML("<filter")),
    ("flt xml root", 27, 5, lambda c, n, f: c.nwfilterDefineXML("<network/>")),
    ("flt no name", 1, 33, lambda c, n, f: c.nwfilterDefineXML("<filter/>")),
    ("flt name clash", 9, 33, lambda c, n, f: c.nwfilterDefineXML(flt("f1", 32))),
    ("flt uuid clash", 9, 33, lambda c, n, f: c.nwfilterDefineXML(flt("fother", 31))),
    ("flt bad uuid", 27, 33, lambda c, n, f: c.nwfilterDefineXML(fbut(U + "35", "zz"))),
    ("flt bad chain", 8, 33, lambda c, n, f: c.nwfilterDefineXML(fbut("chain='root'", "chain='nochain'"))),
    ("flt bad chain prio", 8, 33,
     lambda c, n, f: c.nwfilterDefineXML(fbut("chain='root'", "chain='root' priority='5000'"))),
    ("flt bad action", 67, 33, lambda c, n, f: c.nwfilterDefineXML(fbut("action='drop'", "action='eat'"))),
    ("flt no action", 1, 33, lambda c, n, f: c.nwfilterDefineXML(fbut("action='drop' ", ""))),
    ("flt bad direction", 67, 33,
     lambda c, n, f: c.nwfilterDefineXML(fbut("direction='in'", "direction='up'"))),
    ("flt no direction", 1, 33, lambda c, n, f: c.nwfilterDefineXML(fbut("direction='in' ", ""))),
    ("flt ref none", 1, 33, lambda c, n, f: c.nwfilterDefineXML(fbut("<rule", "<filterref/><rule"))),
    ("flt ref self", 9, 33,
     lambda c, n, f: c.nwfilterDefineXML(fbut("<rule", "<filterref filter='fb'/><rule"))),
    ("flt loop", 9, 33,
     lambda c, n, f: (c.nwfilterDefineXML(flt("fl1", 51)), c.nwfilterDefineXML(flt("fl2",
      52).replace("<rule", "<filterref filter='fl1'/><rule")), c.nwfilterDefineXML(flt("fl1",
      51).replace("<rule", "<filterref filter='fl2'/><rule")))),
    ("flt bad mac", 1, 33, lambda c, n, f: c.nwfilterDefineXML(fbut("<mac/>", "<mac srcmacaddr='zz'/>"))),
    ("flt bad ip", 1, 33, lambda c, n, f: c.nwfilterDefineXML(fbut("<mac/>", "<ip srcipaddr='999.1.1.1'/>"))),
    ("flt bad port", 1, 33,
     lambda c, n, f: c.nwfilterDefineXML(fbut("<mac/>", "<tcp dstportstart='99999'/>"))),
    ("flt flags", 8, 33, lambda c, n, f: c.nwfilterDefineXMLFlags(flt("fb", 35), 1 << 20)),
    ("flt validate", 92, 5, lambda c, n, f: c.nwfilterDefineXMLFlags(fbut("<mac/>", "<mac x='y'/>"), 1)),
    ("flt xml flags", 8, 33, lambda c, n, f: f.XMLDesc(1 << 20)),
    ("flt list flags", 8, 33, lambda c, n, f: c.listAllNWFilters(1 << 20)),
    # ---- bindings ----
    ("bind lookup", 101, 33, lambda c, n, f: c.nwfilterBindingLookupByPortDev("nodev")),
    ("bind lookup empty", 101, 33, lambda c, n, f: c.nwfilterBindingLookupByPortDev("")),
    ("bind xml empty", 35, 33, lambda c, n, f: c.nwfilterBindingCreateXML("")),
    ("bind xml broken", 35, 33, lambda c, n, f: c.nwfilterBindingCreateXML("<filterbinding")),
    ("bind xml root", 27, 5, lambda c, n, f: c.nwfilterBindingCreateXML("<x/>")),
    ("bind no ref", 1, 33,
     lambda c, n, f: c.nwfilterBindingCreateXML(bbut("<filterref filter='clean-traffic'/>", ""))),
    ("bind no portdev", 1, 33,
     lambda c, n, f: c.nwfilterBindingCreateXML(bbut("<portdev name='tapx8'/>", ""))),
    ("bind no mac", 1, 33,
     lambda c, n, f: c.nwfilterBindingCreateXML(bbut("<mac address='52:54:00:00:09:0a'/>", ""))),
    ("bind bad mac", 1, 33, lambda c, n, f: c.nwfilterBindingCreateXML(bbut("52:54:00:00:09:0a", "x"))),
    ("bind no owner", 1, 33,
     lambda c, n, f: c.nwfilterBindingCreateXML(bbut(f"<owner><name>g1</name><uuid>{U}66</uuid></owner>", ""))),
    ("bind bad owner", 1, 33, lambda c, n, f: c.nwfilterBindingCreateXML(bbut(U + "66", "x"))),
    ("bind flags", 8, 33, lambda c, n, f: c.nwfilterBindingCreateXML(bind("tapx8"), 1 << 20)),
    ("bind validate", 92, 5, lambda c, n, f: c.nwfilterBindingCreateXML(bbut("<portdev", "<x/><portdev"), 1)),
    ("bind list flags", 8, 33, lambda c, n, f: c.listAllNWFilterBindings(1 << 20)),
    ("bind dup", 9, 33,
     lambda c, n, f: (c.nwfilterBindingCreateXML(bind("tapx7")), c.nwfilterBindingCreateXML(bind("tapx7")))),
    ("bind gone", 101, 33,
     lambda c, n, f: (lambda b: (b.delete(), b.XMLDesc()))(c.nwfilterBindingLookupByPortDev("tapx7"))),
    ("bind gone delete", 101, 33,
     lambda c, n, f: (lambda b: (b.delete(), b.delete()))(c.nwfilterBindingCreateXML(bind("tapx7")))),
    # ---- interfaces ----
    ("if lookup", 57, 26, lambda c, n, f: c.interfaceLookupByName("noif0")),
    ("if lookup empty", 57, 26, lambda c, n, f: c.interfaceLookupByName("")),
    ("if lookup mac", 57, 26, lambda c, n, f: c.interfaceLookupByMACString("52:54:00:99:99:99")),
    ("if lookup bad mac", 57, 26, lambda c, n, f: c.interfaceLookupByMACString("zz")),
    ("if list flags", 8, 26, lambda c, n, f: c.listAllInterfaces(1 << 20)),
    ("if xml flags", 8, 26, lambda c, n, f: c.interfaceLookupByName("lo").XMLDesc(1 << 20)),
]


def test_wrong_calls_have_libvirts_numbers(net_daemon):
    wrong = []
    with connection(net_daemon) as c:
        n, f = c.networkDefineXML(net()), c.nwfilterDefineXML(flt())
        a = c.networkDefineXML(net("na", 3, "nb3", 93))
        a.create()
        a.portCreateXML(port(61))
        c.networkCreateXML(net("nt", 4, "nb4", 94))
        c.networkDefineXML("<network><name>npt</name><forward mode='bridge'><interface dev='lo'/></forward></network>")
        for what, code, domain, call in CASES:
            try:
                call(c, n, f)
                wrong.append(f"{what}: it works")
            except lv.libvirtError as e:
                found = (e.get_error_code(), e.get_error_domain(), e.get_error_level())
                if found != (code, domain, 2):
                    wrong.append(f"{what}: {found}, not {(code, domain, 2)}: {e.get_error_message()}")
        for name in "na", "nt":
            c.networkLookupByName(name).destroy()
    assert not wrong, "\n".join(wrong)
