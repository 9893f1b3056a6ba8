"""What goes with a definition: UEFI's variables, TPM state, managed save, disks; and what must not."""
import os
import subprocess

import pytest

from lodgetest import xml_for
from test_firmware import TPM, UEFI, define, needs_ovmf, needs_swtpm, tpm_state, uuid_of


def disk_xml(path, target="vda", more="", driver="raw"):
    return (f"<disk type='file'><driver name='qemu' type='{driver}'/><source file='{path}'/>"
            f"<target dev='{target}'/>{more}</disk>")


def image(daemon, name, size=1 << 20):
    path = daemon.root / name
    with open(path, "wb") as out:
        out.truncate(size)
    return path


def run_once(daemon, name):
    daemon.lodge("start", name, "--paused")
    daemon.lodge("destroy", name)


@needs_swtpm
@pytest.mark.parametrize("options,stays", [([], False), (["--keep-tpm"], True), (["--tpm"], False)])
def test_tpm_state(daemon, options, stays):
    define(daemon, "tpm1", devices=TPM, boot=False)
    run_once(daemon, "tpm1")
    folder = tpm_state(daemon, "tpm1").parent
    assert folder.is_dir()
    daemon.lodge("undefine", "tpm1", *options)
    assert folder.is_dir() == stays


@needs_swtpm
def test_persistent_tpm_state(daemon):
    persistent = TPM.replace("version=", "persistent_state='yes' version=")
    uuid = "11111111-2222-3333-4444-555555555555"
    for options, stays in ([], True), (["--tpm"], False):
        define(daemon, "tpm1", devices=persistent, boot=False, uuid=uuid)
        run_once(daemon, "tpm1")
        folder = tpm_state(daemon, "tpm1").parent
        daemon.lodge("undefine", "tpm1", *options)
        assert folder.is_dir() == stays


@needs_swtpm
def test_tpm_of_transient_guests(daemon):
    daemon.lodge("create", daemon.write("t.xml", xml_for("temp", devices=TPM, boot=False)))
    folder = daemon.root / "lib" / "tpm" / uuid_of(daemon, "temp")
    assert folder.is_dir()
    daemon.lodge("destroy", "temp")
    assert not folder.exists()
    define(daemon, "tpm1", devices=TPM, boot=False)
    daemon.lodge("start", "tpm1", "--paused")
    folder = tpm_state(daemon, "tpm1").parent
    daemon.lodge("undefine", "tpm1")
    assert folder.is_dir()  # it runs
    daemon.lodge("destroy", "tpm1")
    assert not folder.exists()


def test_managed_save(daemon):
    daemon.define("web1", boot=False)
    daemon.lodge("start", "web1")
    daemon.lodge("managedsave", "web1")
    assert "--managed-save" in daemon.lodge("undefine", "web1", ok=False).err
    daemon.lodge("undefine", "web1", "--managed-save")
    assert not list((daemon.root / "lib" / "save").iterdir())


@needs_ovmf
def test_reset_nvram(daemon):
    define(daemon, "uefi1", UEFI, boot=False)
    run_once(daemon, "uefi1")
    variables = daemon.root / "lib" / "nvram" / "uefi1_VARS.fd"
    fresh = variables.read_bytes()
    variables.write_bytes(b"mine" + fresh[4:])
    daemon.lodge("start", "uefi1", "--paused", "--reset-nvram")
    assert variables.read_bytes()[:4] == fresh[:4]
    daemon.lodge("destroy", "uefi1")
    daemon.lodge("undefine", "uefi1", "--nvram")
    assert not variables.exists()


def test_disks(daemon):
    a, b, c, iso = (image(daemon, name) for name in ("a.img", "b.img", "c.img", "iso.img"))
    devices = (disk_xml(a) + disk_xml(b, "vdb", "<shareable/>") + disk_xml(c, "vdc", "<readonly/>") +
               disk_xml(iso, "sda", "<readonly/>").replace("<disk type", "<disk device='cdrom' type"))
    daemon.define("web1", boot=False, devices=devices)
    assert 'no disk "vdz"' in daemon.lodge("undefine", "web1", "--storage", "vda,vdz", ok=False).err
    daemon.lodge("start", "web1", "--paused")
    assert "is running" in daemon.lodge("undefine", "web1", "--remove-all-storage", ok=False).err
    daemon.lodge("destroy", "web1")
    daemon.lodge("undefine", "web1", "--remove-all-storage")
    assert [path.exists() for path in (a, b, c, iso)] == [False, True, True, True]


def test_named_disks(daemon):
    a, b, c = (image(daemon, name) for name in ("a.img", "b.img", "c.img"))
    daemon.define("web1", boot=False, devices=disk_xml(a) + disk_xml(b, "vdb") + disk_xml(c, "vdc"))
    daemon.lodge("undefine", "web1", "--storage", f"vda,{c}")
    assert [path.exists() for path in (a, b, c)] == [False, True, False]


def test_disks_that_others_need(daemon):
    base = image(daemon, "base.img")
    link, top = daemon.root / "link.img", daemon.root / "top.qcow2"
    os.link(base, link)
    daemon.define("web1", boot=False, devices=disk_xml(base))
    daemon.define("web2", boot=False, devices=disk_xml(link))
    said = daemon.lodge("undefine", "web1", "--remove-all-storage", ok=False)
    assert "needed by disk vda of guest \"web2\"" in said.err
    daemon.lodge("undefine", "web2")
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "-b", base, "-F", "raw", top], check=True)
    daemon.define("web2", boot=False, devices=disk_xml(top, driver="qcow2"))
    said = daemon.lodge("undefine", "web1", "--storage", "vda", ok=False)
    assert "needed by disk vda of guest \"web2\"" in said.err
    assert base.exists() and "web1" in daemon.lodge("list", "--all", "--name").out
    daemon.lodge("undefine", "web2", "--remove-all-storage")
    assert base.exists() and not top.exists()
    daemon.lodge("undefine", "web1", "--remove-all-storage")
    assert not base.exists()
