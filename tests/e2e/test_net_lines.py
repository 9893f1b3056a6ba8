"""Lines about networks and filters, by virsh and by `lodge` under its name: the same words on both outputs."""
import pytest

from lodgetest import ROOT
from nettest import net_daemon  # noqa: F401  (a fixture)
from test_virsh_link import Both

DOCUMENTS = ROOT / "tests" / "golden" / "network-xml"
MORE = {"nat-stray-text": "nat3", "isolated": "isolate1"}
FILTER = """<filter name='mine' chain='root'><uuid>5d744f21-ba4a-4d6e-bdb2-30a35ff3207d</uuid>
<rule action='drop' direction='in' priority='500'><tcp dstportstart='25'/></rule></filter>"""
PORT = """<networkport><uuid>5d744f21-ba4a-4d6e-bdb2-30a35ff3207e</uuid>
<owner><name>g</name><uuid>d54df46f-1ab5-4a22-8618-4560ef5fac2c</uuid></owner>
<mac address='52:54:00:7b:35:93'/><plug type='network' bridge='{}'/></networkport>"""


LINES = ("net-define {path}", "net-list --all", "net-list --inactive --name", "net-start {name}",
         "net-start {name}", "net-list --all --persistent", "net-list --uuid --all", "net-autostart {name}",
         "net-list --autostart", "net-autostart {name} --disable", "net-info {name}", "net-uuid {name}",
         "net-name {uuid}", "net-dumpxml {name}", "net-dumpxml {name} --inactive", "net-dhcp-leases {name}",
         "net-list --table --all", "net-update {name} add ip-dhcp-host {host} --live --config",
         "net-port-create {name} {port}", "net-port-list {name}", "net-port-list {name} --uuid",
         "net-port-dumpxml {name} {portid}", "net-port-delete {name} {portid}",
         "net-update {name} delete ip-dhcp-host {host} --live --config", "net-destroy {name}",
         "net-destroy {name}", "net-dhcp-leases {name}", "net-undefine {name}", "net-create {path}", "net-list",
         "net-destroy {name}", "net-info {name}", "net-define /nonexistent.xml")
SHORT = ("net-define {path}", "net-start {name}", "net-list", "net-dumpxml {name}", "net-info {name}",
         "net-dhcp-leases {name}", "net-destroy {name}", "net-undefine {name}")


@pytest.fixture
def both(net_daemon):
    return Both(net_daemon)


@pytest.mark.parametrize("document", MORE)
def test_network(both, document):
    """What users type about a document that they have, stray text included."""
    path, name = DOCUMENTS / f"{document}.xml", MORE[document]
    undo = {"net-define": ["net-undefine", name], "net-start": ["net-destroy", name],
            "net-destroy": ["net-start", name], "net-create": ["net-destroy", name],
            "net-undefine": ["net-define", path]}
    host = "<host mac='52:54:00:00:00:01' name='web1' ip='192.168.{}.7'/>".format(
        "104" if name == "nat3" else "101")
    port = both.daemon.write("port.xml", PORT.format("virbr4" if name == "nat3" else "virbr2"))
    uuid = "5d744f21-ba4a-4d6e-bdb2-30a35ff3207e"
    for line in LINES if name == "nat3" else SHORT:
        shown = shown_uuid(both, name) if "{uuid}" in line else None
        words = [word.format(path=path, name=name, host=host, port=port, portid=uuid, uuid=shown)
                 for word in line.split()]
        compare(both, words, undo)
        if words[0] == "net-create":
            undo["net-destroy"] = ["net-create", path]


def shown_uuid(both, name):
    return both.daemon.lodge("net-uuid", name, ok=None).out.strip() or name


def compare(both, words, undo):
    """As Both.same(); what the line did is undone between the two, and what it is not to leave is not left."""
    theirs = both.theirs(*words)
    back = undo.get(words[0])
    if words[0] in ("net-port-create", "net-port-delete"):
        back = (["net-port-delete", words[1], "5d744f21-ba4a-4d6e-bdb2-30a35ff3207e"]
                if words[0] == "net-port-create" else
                ["net-port-create", words[1], both.daemon.root / "port.xml"])
    if words[0] == "net-update":
        back = [words[0], words[1], "delete" if words[2] == "add" else "add", *words[3:]]
    if theirs.returncode == 0 and back:
        both.daemon.lodge(*back)
    ours = both.ours(*words)
    said = "".join(line for line in ours.stderr.splitlines(True) if not line.startswith("warning: stray text"))
    assert (ours.returncode, ours.stdout, said) == (theirs.returncode, theirs.stdout, theirs.stderr), words


def test_filters(both):
    path = both.daemon.write("mine.xml", FILTER)
    undo = {"nwfilter-define": ["nwfilter-undefine", "mine"], "nwfilter-undefine": ["nwfilter-define", path]}
    for line in (f"nwfilter-define {path}", "nwfilter-list", "nwfilter-dumpxml mine",
                 "nwfilter-dumpxml clean-traffic", "nwfilter-binding-list", "nwfilter-binding-dumpxml vnet9",
                 "nwfilter-undefine mine", "nwfilter-undefine mine", "nwfilter-dumpxml nosuch",
                 "nwfilter-define /nonexistent.xml"):
        compare(both, line.split(), undo)
