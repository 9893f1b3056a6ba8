"""Guests with UEFI, an emulated TPM and shared folders: the parts beside QEMU, from start to end."""
import os
import pathlib
import shutil
import signal
import subprocess

import pytest

from lodgetest import READY, SOON, end, wait_until, xml_for

BIOS = "<os><type arch='x86_64' machine='q35'>hvm</type>"
UEFI = ("<os firmware='efi'><type arch='x86_64' machine='q35'>hvm</type>"
        "<firmware><feature enabled='no' name='secure-boot'/></firmware>")
SECURE = "<os firmware='efi'><type arch='x86_64' machine='{}'>hvm</type>" \
         "<firmware><feature enabled='yes' name='secure-boot'/></firmware>"
ELSEWHERE = ("<os><type arch='x86_64' machine='q35'>hvm</type><loader readonly='yes' type='pflash'>"
             "/usr/share/edk2/ovmf/OVMF_CODE.fd</loader>")
TPM = "<tpm model='tpm-crb'><backend type='emulator' version='2.0'/></tpm>"
EFI_BOOT_SECONDS = 150  # OVMF alone takes 10 s under emulation on an idle machine

needs_ovmf = pytest.mark.skipif(not pathlib.Path("/usr/share/qemu/firmware/60-edk2-x86_64.json").exists(),
                                reason="the package ovmf is not installed")
needs_swtpm = pytest.mark.skipif(not shutil.which("swtpm"), reason="the package swtpm is not installed")


def define(daemon, name, os=BIOS, ok=True, **parts):
    xml = xml_for(name, **parts).replace(BIOS, os)
    return daemon.lodge("define", daemon.write(f"{name}.xml", xml), ok=ok)


def running(daemon, program):
    """The pids of the daemon's processes of this program."""
    return [pid for pid, words in daemon.processes().items()
            if pathlib.Path(words.split()[0]).name == program]


def uuid_of(daemon, name):
    return daemon.lodge("dumpxml", name).out.split("<uuid>")[1].split("</uuid>")[0]


def tpm_state(daemon, name):
    return daemon.root / "lib" / "tpm" / uuid_of(daemon, name) / "tpm2-00.permall"


# ---- UEFI ----

@needs_ovmf
def test_uefi_boots(daemon):
    define(daemon, "uefi1", UEFI, memory=256, cmdline="console=ttyS0")
    daemon.lodge("start", "uefi1")
    console = daemon.console("uefi1")
    console.expect(READY, EFI_BOOT_SECONDS)
    assert "efivars" in console.run("ls /sys/firmware/efi")


@needs_ovmf
def test_uefi_variables_stay(daemon):
    define(daemon, "uefi1", UEFI, boot=False)
    variables = daemon.root / "lib" / "nvram" / "uefi1_VARS.fd"
    assert str(variables) in daemon.lodge("dumpxml", "uefi1").out
    assert not variables.exists()
    daemon.lodge("start", "uefi1", "--paused")
    assert variables.stat().st_mode & 0o777 == 0o600
    daemon.lodge("destroy", "uefi1")
    marked = b"mine" + variables.read_bytes()[4:]
    variables.write_bytes(marked)
    daemon.lodge("rename", "uefi1", "uefi2")
    daemon.lodge("start", "uefi2", "--paused")
    daemon.lodge("destroy", "uefi2")
    assert variables.read_bytes() == marked


@needs_ovmf
def test_uefi_of_another_distribution(daemon):
    said = define(daemon, "rhel1", ELSEWHERE, boot=False)
    assert "/usr/share/edk2/ovmf/OVMF_CODE.fd is not on this host" in said.err
    daemon.lodge("start", "rhel1", "--paused")
    assert daemon.state("rhel1") == "paused"


@needs_ovmf
def test_secure_boot(daemon):
    define(daemon, "sb1", SECURE.format("q35"), boot=False)
    xml = daemon.lodge("dumpxml", "sb1").out
    assert "secure='yes'" in xml and "<smm state='on'/>" in xml
    daemon.lodge("start", "sb1", "--paused")
    wrong = define(daemon, "sb2", SECURE.format("pc"), boot=False, ok=False)
    assert "with secure boot: use machine type q35" in wrong.err


# ---- TPM ----

@needs_swtpm
def test_tpm_starts_and_ends(daemon):
    define(daemon, "tpm1", devices=TPM, boot=False)
    daemon.lodge("start", "tpm1", "--paused")
    assert len(running(daemon, "swtpm")) == 1
    made = tpm_state(daemon, "tpm1").read_bytes()
    daemon.lodge("destroy", "tpm1")
    wait_until(lambda: not daemon.processes(), SOON, "nothing of the guest is left")
    daemon.lodge("start", "tpm1", "--paused")
    assert tpm_state(daemon, "tpm1").read_bytes() == made
    daemon.lodge("destroy", "tpm1")
    wait_until(lambda: not daemon.processes(), SOON, "nothing of the guest is left")


@needs_swtpm
def test_tpm_answers_the_guest(daemon):
    define(daemon, "tpm1", devices=TPM)
    daemon.lodge("start", "tpm1")
    console = daemon.console("tpm1")
    console.expect(READY)
    assert "tpm0" in console.run("ls /sys/class/tpm")
    assert "\n2" in console.run("cat /sys/class/tpm/tpm0/tpm_version_major")
    daemon.lodge("destroy", "tpm1")


@needs_swtpm
def test_tpm_outlives_the_daemon(daemon):
    define(daemon, "tpm1", devices=TPM, boot=False)
    daemon.lodge("start", "tpm1", "--paused")
    before = running(daemon, "swtpm")
    daemon.restart(signal.SIGKILL)
    assert running(daemon, "swtpm") == before
    daemon.lodge("destroy", "tpm1")
    wait_until(lambda: not daemon.processes(), SOON, "nothing of the guest is left")


@needs_swtpm
def test_tpm_after_a_crash_of_all(daemon):
    """Daemon, QEMU and swtpm die at once: the socket that stays is in nobody's way."""
    define(daemon, "tpm1", devices=TPM, boot=False)
    daemon.lodge("start", "tpm1", "--paused")
    daemon.kill()
    end(*daemon.processes())
    daemon.start()
    daemon.wait_state("tpm1", "shut off")
    daemon.lodge("start", "tpm1", "--paused")
    assert len(running(daemon, "swtpm")) == 1


@needs_swtpm
def test_tpm_dies(daemon):
    """QEMU does not outlive an order to stop, whether its TPM lives or not."""
    define(daemon, "tpm1", devices=TPM, boot=False)
    daemon.lodge("start", "tpm1", "--paused")
    os.kill(running(daemon, "swtpm")[0], signal.SIGKILL)
    daemon.lodge("destroy", "tpm1")
    wait_until(lambda: not daemon.processes(), SOON, "nothing of the guest is left")
    daemon.lodge("start", "tpm1", "--paused")


@needs_swtpm
def test_tpm_leaves_nothing_where_qemu_fails(daemon):
    more = ("<qemu:commandline xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>"
            "<qemu:arg value='-no-such-option'/></qemu:commandline>")
    define(daemon, "tpm1", devices=TPM, boot=False, extra=more)
    daemon.lodge("start", "tpm1", ok=False)
    assert daemon.state("tpm1") == "shut off"
    wait_until(lambda: not daemon.processes(), SOON, "nothing of the guest is left")


# ---- shared folders ----

def test_shared_folder(daemon):
    if os.geteuid() != 0:
        pytest.skip("virtiofsd of Debian 12 runs as root only")
    if subprocess.run(["unshare", "--mount", "true"], stderr=subprocess.DEVNULL).returncode:
        pytest.skip("virtiofsd needs mount namespaces: a plain chroot has none")
    shared = daemon.root / "shared"
    shared.mkdir()
    (shared / "hello").write_text("from the host\n")
    define(daemon, "fs1", devices="<filesystem type='mount'><driver type='virtiofs'/>"
                                  f"<source dir='{shared}'/><target dir='share'/></filesystem>")
    daemon.lodge("start", "fs1")
    console = daemon.console("fs1")
    console.expect(READY)
    console.run("mount -t virtiofs share /mnt")
    assert "from the host" in console.run("cat /mnt/hello")
    console.run("echo from the guest > /mnt/answer; sync")
    assert (shared / "answer").read_text() == "from the guest\n"
    daemon.lodge("destroy", "fs1")
    wait_until(lambda: not daemon.processes(), SOON, "nothing of the guest is left")
