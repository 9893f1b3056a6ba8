"""`lodge adopt`: a copied tree of a libvirt host is taken over, and given back."""
import base64
import hashlib
import subprocess

from lodgetest import xml_for

NVRAM = "/var/lib/libvirt/qemu/nvram/web1_VARS.fd"
WARNING = "<!--\nWARNING: THIS IS AN AUTO-GENERATED FILE. CHANGES TO IT ARE LIKELY TO BE\nOVERWRITTEN\n-->\n"
ODD = ("<hostdev mode='subsystem' type='usb'><source><vendor id='0x1234'/><product id='0x0001'/></source>"
       "</hostdev>")
UUID = "6ba7b810-9dad-11d1-80b4-00c04fd43{:03d}"


def guest(number, name, extra=""):
    return WARNING + xml_for(name, uuid=UUID.format(number), boot=False).replace("</os>", f"{extra}</os>")


def old_host(root):
    """A libvirt host's files below @root: guests, their belongings, a network, a secret."""
    files = {
        "etc/libvirt/qemu/web1.xml": guest(1, "web1", f"<nvram>{NVRAM}</nvram>"),
        "etc/libvirt/qemu/web2.xml": guest(2, "web2"),
        "etc/libvirt/qemu/busy.xml": guest(3, "busy"),
        "etc/libvirt/qemu/mine.xml": guest(4, "mine"),
        "etc/libvirt/qemu/broken.xml": "<domain><name>broken</name>",
        # two host devices that are the same one: refused in documents that come in, but it ran there
        "etc/libvirt/qemu/odd.xml": guest(5, "odd").replace("</devices>", 2 * ODD + "</devices>"),
        "run/libvirt/qemu/busy.xml": "<domstatus/>",
        NVRAM[1:]: "variables",
        f"var/lib/libvirt/swtpm/{UUID.format(1)}/tpm2/tpm2-00.permall": "state",
        "var/lib/libvirt/qemu/save/web2.save": "LibvirtQemudSave",
        "etc/libvirt/secrets/" + UUID.format(9) + ".xml": f"<secret ephemeral='no' private='no'>"
                                                          f"<uuid>{UUID.format(9)}</uuid></secret>",
        "etc/libvirt/secrets/" + UUID.format(9) + ".base64": base64.b64encode(b"sesame").decode(),
        "etc/libvirt/storage/images.xml": f"<pool type='dir'><name>images</name><uuid>{UUID.format(8)}</uuid>"
                                          f"<target><path>{root}/images</path></target></pool>",
    }
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    for folder, name in (("qemu", "web1"), ("storage", "images")):
        (root / "etc/libvirt" / folder / "autostart").mkdir()
        (root / "etc/libvirt" / folder / "autostart" / f"{name}.xml").symlink_to(f"/etc/libvirt/{name}.xml")
    return root


def fingerprint(root):
    """Of everything below @root."""
    return {str(path): (path.stat().st_mtime_ns, hashlib.sha256(path.read_bytes()).hexdigest())
            for path in root.rglob("*") if path.is_file()}


def adopt(daemon, *words):
    """kind and name -> action, note"""
    items = daemon.lodge("--json", "adopt", *words).json["items"]
    return {f"{item['kind']} {item['name']}": (item["action"], item.get("note", "")) for item in items}


def test_adopt(daemon, tmp_path):
    host = old_host(tmp_path / "host")
    before = fingerprint(host)
    daemon.lodge("define", daemon.write("mine.xml", guest(7, "mine")))
    plan = adopt(daemon, "--from", host)
    assert {name: action for name, (action, _) in plan.items()} == {
        f"secret {UUID.format(9)}": "take", "pool images": "take", "domain web1": "take",
        "domain web2": "take", "domain odd": "take", "domain busy": "conflict", "domain mine": "conflict",
        "domain broken": "conflict"}
    assert plan["domain web1"][1] == "autostart, UEFI variables, TPM"
    assert plan["domain web2"][1] == "managed save"
    assert "warning: " in plan["domain odd"][1] and "given to the guest already" in plan["domain odd"][1], plan["domain odd"]
    assert "runs under libvirtd" in plan["domain busy"][1]
    assert "another one of that name" in plan["domain mine"][1]
    assert daemon.lodge("list", "--all", "--name").out.split() == ["mine"]
    assert "--yes" in daemon.lodge("adopt", "--from", host).err
    # it is done
    done = adopt(daemon, "--from", host, "--yes")
    assert sorted(name for name, (action, _) in done.items() if action == "taken") == sorted(
        name for name, (action, _) in plan.items() if action == "take"), done
    assert "warning: " in done["domain odd"][1]
    assert daemon.lodge("list", "--all", "--name").out.split() == ["mine", "odd", "web1", "web2"]
    daemon.lodge("define", daemon.write("odd.xml", daemon.lodge("dumpxml", "odd").out), ok=False)
    assert daemon.lodge("list", "--all", "--autostart", "--name").out.split() == ["web1"]
    text = daemon.lodge("dumpxml", "web1").out
    assert f"{daemon.root}/lib/nvram/web1_VARS.fd" in text and NVRAM not in text
    assert (daemon.root / "lib/nvram/web1_VARS.fd").read_text() == "variables"
    assert (daemon.root / "lib/tpm" / UUID.format(1) / "tpm2/tpm2-00.permall").read_text() == "state"
    assert daemon.lodge("list", "--all", "--with-managed-save", "--name").out.split() == ["web2"]
    assert daemon.lodge("secret-get-value", UUID.format(9), "--plain").out == "sesame"
    assert "images" in daemon.lodge("pool-list", "--all").out
    # again: nothing is taken twice
    assert adopt(daemon, "--from", host, "--yes")["domain web1"][0] == "there"
    assert fingerprint(host) == before
    # and it is given back
    daemon.restart()
    undone = adopt(daemon, "--undo")
    assert {action for action, _ in undone.values()} == {"removed"}, undone
    assert daemon.lodge("list", "--all", "--name").out.split() == ["mine"]
    assert "images" not in daemon.lodge("pool-list", "--all").out
    for folder in ("lib/nvram", "lib/tpm", "lib/save", "lib/secrets"):
        assert not list((daemon.root / folder).iterdir()), folder
    assert fingerprint(host) == before
    assert adopt(daemon, "--undo") == {}


def test_adopt_nothing(daemon, tmp_path):
    assert "etc/libvirt" in daemon.lodge("adopt", "--from", tmp_path, ok=False).err
    assert subprocess.run(["test", "-e", daemon.root / "lib/adopted.json"]).returncode == 1
