"""Verbs that show, follow and edit: through the command and, where that says more, through REST."""
import json
import os
import pathlib
import signal
import socket
import subprocess
import time

import pytest

import lodgetest
from lodgetest import LODGE, SOON, wait_until

UUID = "11111111-2222-3333-4444-555555555555"


@pytest.fixture
def guest(daemon):
    """A defined guest that needs no kernel: it stays in its firmware."""
    daemon.define("web1", boot=False, uuid=UUID,
                  devices="<graphics type='vnc'/><video><model type='vga'/></video>")
    return "web1"


# ---- list, info, state ----

def test_list_words(daemon, guest):
    daemon.define("db1", boot=False)
    daemon.lodge("start", guest)
    assert daemon.lodge("list", "--name").out.split() == [guest]
    assert daemon.lodge("list", "--inactive", "--name").out.split() == ["db1"]
    assert daemon.lodge("list", "--all", "--name").out.split() == [guest, "db1"]
    assert daemon.lodge("list", "--uuid").out.split() == [UUID]
    assert daemon.lodge("list", "--id").out.split() == ["1"]
    assert daemon.lodge("list", "--state-shutoff", "--name").out.split() == ["db1"]
    assert daemon.lodge("list", "--state-paused", "--name").out.split() == []
    assert daemon.lodge("list", "--all", "--autostart", "--name").out.split() == []
    assert daemon.lodge("list", "--all", "--no-autostart", "--name").out.split() == [guest, "db1"]
    table = daemon.lodge("list", "--all").out.splitlines()
    assert table[0].split() == ["Id", "Name", "State"]
    assert set(table[1]) == {"-"}
    assert table[2].split() == ["1", guest, "running"]
    assert table[3].split() == ["-", "db1", "shut", "off"]


def test_list_json(daemon, guest):
    listed = daemon.lodge("list", "--all", "--json").json["domains"]
    assert listed == [{"name": guest, "state": "shut off", "uuid": UUID, "persistent": True,
                       "autostart": False}]


def test_info_and_state(daemon, guest):
    for key in (guest, UUID):
        fields = dict(line.split(":", 1) for line in daemon.lodge("dominfo", key).out.splitlines() if line)
        assert fields["Name"].strip() == guest and fields["Id"].strip() == "-"
        assert fields["State"].strip() == "shut off" and fields["Autostart"].strip() == "disable"
    daemon.lodge("start", guest)
    assert daemon.lodge("domstate", "--reason", guest).out.strip() == "running (booted)"
    assert daemon.lodge("state", "1").out.strip() == "running"


def test_autostart(daemon, guest):
    assert "marked as autostarted" in daemon.lodge("autostart", guest).out
    assert daemon.lodge("info", guest, "--json").json["autostart"] is True
    assert "unmarked as autostarted" in daemon.lodge("autostart", guest, "--disable").out
    assert daemon.lodge("info", guest, "--json").json["autostart"] is False


def test_log(daemon, guest):
    assert daemon.lodge("log", guest, ok=False).code == 3
    daemon.lodge("start", guest)
    assert "qemu-system" in daemon.lodge("log", guest).out
    assert len(daemon.lodge("log", guest, "--lines", "1").out.splitlines()) == 1


# ---- wait, events ----

def test_wait_for_state(daemon, guest):
    daemon.lodge("start", guest)
    daemon.lodge("wait", guest, "running")
    late = daemon.lodge("wait", guest, "shutoff", "--timeout", "1", ok=False)
    assert late.code == 7 and late.seconds > 0.9
    waiting = subprocess.Popen([LODGE, "--root", daemon.root, "wait", guest])
    time.sleep(0.3)
    assert waiting.poll() is None
    daemon.lodge("destroy", guest)
    assert waiting.wait(SOON) == 0


def test_wait_for_console(daemon):
    daemon.define("web1")
    daemon.lodge("start", "web1")
    daemon.lodge("wait", "web1", "--console", lodgetest.READY)
    daemon.lodge("wait", "web1", "--console", lodgetest.READY)  # said already
    waiting = subprocess.Popen([LODGE, "--root", daemon.root, "wait", "web1", "--console", "never said"],
                               stderr=subprocess.PIPE)
    time.sleep(0.3)
    daemon.lodge("destroy", "web1")
    assert waiting.wait(SOON) == 4


def catches(pid, number):
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(status.split("SigCgt:")[1].split()[0], 16) >> (number - 1) & 1


def test_wait_ends_with_its_caller(daemon, guest):
    waiting = subprocess.Popen([LODGE, "--root", daemon.root, "wait", guest, "running"],
                               stderr=subprocess.PIPE, text=True)
    wait_until(lambda: catches(waiting.pid, signal.SIGINT), SOON, "it is prepared for the signal")
    waiting.send_signal(signal.SIGINT)
    assert waiting.wait(SOON) == 130
    assert "interrupted" in waiting.stderr.read()


def test_wait_words(daemon, guest):
    assert "no state" in daemon.lodge("wait", guest, "sleeping", ok=False).err
    assert daemon.lodge("wait", guest, "running", "--console", "x", ok=False).code == 2


def test_events(daemon, guest):
    daemon.define("other", boot=False)
    follower = subprocess.Popen([LODGE, "--root", daemon.root, "events", "--count", "4", guest],
                                stdout=subprocess.PIPE, text=True)
    while follower.poll() is None:  # it may not listen yet
        daemon.lodge("autostart", "other")
        for verb in ("start", "suspend", "resume", "destroy"):
            daemon.lodge(verb, guest)
    events = [json.loads(line) for line in follower.communicate(timeout=SOON)[0].splitlines()]
    kinds = ["started", "suspended", "resumed", "stopped"]
    first = kinds.index(events[0]["event"])
    assert [event["event"] for event in events] == kinds[first:] + kinds[:first]
    assert {event["domain"] for event in events} == {guest}
    assert {event["uuid"] for event in events} == {UUID}


def test_events_end_in_time(daemon):
    assert daemon.lodge("events", "--timeout", "1").out == ""


# ---- screenshot, console ----

def test_screenshot(daemon, guest, tmp_path):
    shot = tmp_path / "shot.png"
    assert daemon.lodge("screenshot", guest, shot, ok=False).code == 4
    daemon.lodge("start", guest)
    assert "saved to" in daemon.lodge("screenshot", guest, shot).out
    assert shot.read_bytes().startswith(b"\x89PNG")
    done = subprocess.run([LODGE, "--root", daemon.root, "screenshot", guest, "-"], stdout=subprocess.PIPE)
    assert done.stdout.startswith(b"\x89PNG")


def test_console_between_pipes(daemon):
    daemon.define("web1")
    daemon.lodge("start", "web1")
    daemon.lodge("wait", "web1", "--console", lodgetest.PROMPT)
    done = daemon.lodge("console", "web1", "--timeout", "60", input="echo sum $((40+2)); poweroff -f\n")
    assert lodgetest.READY in done.out and "sum 42" in done.out


def test_console_leaves_with_escape(daemon, guest):
    daemon.lodge("start", guest)
    console = daemon.console(guest)
    console.send("\x1d")
    wait_until(lambda: console.process.poll() is not None, SOON, "the console is left")
    assert console.process.returncode == 0
    assert daemon.state(guest) == "running"


def test_console_of_one_that_is_off(daemon, guest):
    assert daemon.lodge("console", guest, ok=False).code == 4


def test_second_console_only_reads(daemon, guest):
    daemon.lodge("start", guest)
    first = daemon.console(guest)
    assert "only reads" not in first.text
    second = daemon.console(guest)
    assert "only reads" in second.text  # before the words that console() waits for


# ---- edit ----

def edit(daemon, name, editor, **more):
    daemon.env["EDITOR"] = editor
    return daemon.lodge("edit", name, **more)


def test_edit(daemon, guest):
    assert "not changed" in edit(daemon, guest, "true").out
    assert "edited" in edit(daemon, guest, "sed -i 's/131072/262144/'").out
    assert "262144" in daemon.lodge("dumpxml", "--inactive", guest).out


def test_edit_refused(daemon, guest):
    before = daemon.lodge("dumpxml", guest).out
    refused = edit(daemon, guest, "sed -i 's/<vcpu/<vcpuu/;s/<memory/<<memory/'", ok=False)
    assert refused.code == 2
    assert daemon.lodge("dumpxml", guest).out == before
    assert "set EDITOR" in edit(daemon, guest, "false", ok=False).err


def test_edit_goes_back_to_the_editor(daemon, guest, tmp_path):
    """The first round breaks the document, the second mends it."""
    script = tmp_path / "editor"
    script.write_text(f"#!/bin/sh\nif [ -e {tmp_path}/again ]; then sed -i 's/<vcpux/<vcpu/' $1; "
                      f"else sed -i 's/<vcpu/<vcpux/;s/131072/262144/' $1; fi; touch {tmp_path}/again\n")
    script.chmod(0o755)
    daemon.env["EDITOR"] = str(script)
    parent, child = os.openpty()
    process = subprocess.Popen([LODGE, "--root", daemon.root, "edit", guest], env=daemon.env, stdin=child,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    os.write(parent, b"y\n")
    out = process.communicate(timeout=SOON)[0]
    os.close(parent)
    os.close(child)
    assert "Try again?" in out and "edited" in out
    assert "262144" in daemon.lodge("dumpxml", "--inactive", guest).out


# ---- run, images, host ----

def test_run(daemon, tmp_path):
    image = tmp_path / "base.qcow2"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", image, "64M"], check=True)
    made = daemon.lodge("run", "web1", "--image", image, "--memory", "128", "--disk-size", "1G", "--json").json
    assert made["name"] == "web1" and made["id"] == 1
    assert daemon.state("web1") == "running"
    assert "memory unit='KiB'>131072<" in daemon.lodge("dumpxml", "web1").out
    again = daemon.lodge("run", "web1", "--image", image, ok=False)
    assert again.code == 5 and "already" in again.err
    listed = daemon.lodge("image", "list", "--json").json["images"]
    assert [(one["name"], one["size"]) for one in listed] == [("web1", 1 << 30)]


def test_run_leaves_nothing_behind(daemon, tmp_path):
    image = tmp_path / "base.qcow2"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", image, "64M"], check=True)
    assert daemon.lodge("run", "web1", "--image", "no-such", ok=False).code == 3
    assert daemon.lodge("run", "web1", "--image", image, "--disk-size", "1M", ok=False).code != 0
    assert daemon.lodge("run", "../web1", "--image", image, ok=False).code == 2
    assert daemon.lodge("run", "web1", "--image", image, "--memory", "900000G", ok=False).code != 0
    assert daemon.lodge("list", "--all", "--name").out.split() == []
    assert not list((daemon.root / "images").glob("*"))


def test_run_without_image(daemon):
    assert "lodge image build" in daemon.lodge("run", "web1", ok=False).err


def test_host_check(daemon):
    checks = daemon.lodge("host", "check", "--json").json["checks"]
    assert {"QEMU", "KVM", "Memory"} <= {check["name"] for check in checks}
    assert "QEMU" in daemon.lodge("host", "check").out


# ---- the command itself ----

def test_help_of_every_verb(daemon):
    names = [line.split("  ")[1].strip() for line in daemon.lodge("help").out.splitlines()
             if line.startswith("  ") and not line.startswith("  -") and not line[2].isdigit()]
    assert {"start", "image build", "console", "edit"} <= set(names)
    manual = daemon.lodge("man").out
    for name in names:
        assert f'.SS "{name}' in manual.replace("\\-", "-"), name
    for name in names[::10]:  # a process each
        text = daemon.lodge(*name.split(), "--help").out
        assert text.startswith(f"lodge {name}")
        # verbs whose words are qemu-img's say more than their row
        assert text == daemon.lodge("help", *name.split()).out or "qemu-img" in text


def test_words_of_the_command(daemon, guest):
    assert daemon.lodge("state", "--domain", guest).out.strip() == "shut off"
    assert daemon.lodge("image-list").code == 0
    assert daemon.lodge("start", ok=False).code == 2
    assert daemon.lodge("start", guest, "more", ok=False).code == 2
    assert "did you mean" in daemon.lodge("strat", guest, ok=False).err
    with_stdin = daemon.lodge("define", "-", input=lodgetest.xml_for("in1", boot=False))
    assert "Domain 'in1' defined" in with_stdin.out


def test_completion(daemon, guest):
    assert "start" in daemon.lodge("complete", "--", "st").out.split()
    assert guest in daemon.lodge("complete", "--", "start", "").out.split()
    assert "--paused" in daemon.lodge("complete", "--", "start", "--").out.split()
    assert {"build", "list"} <= set(daemon.lodge("complete", "--", "image", "").out.split())
    subprocess.run(["bash", "-n"], input=daemon.lodge("completion", "bash").out, text=True, check=True)


def test_manual(daemon):
    page = daemon.lodge("man").out
    assert page.startswith(".TH LODGE 1") and ".SS \"start DOMAIN" in page


def test_openapi_names_every_route(daemon):
    described = daemon.rest("GET", "/v1/openapi.json").body
    assert described["openapi"] == "3.1.0"
    assert "post" in described["paths"]["/v1/guests/{guest}/start"]
    refs = json.dumps(described).split("#/components/schemas/")[1:]
    for ref in refs:
        assert ref.split('"')[0] in described["components"]["schemas"]


# ---- REST ----

def test_define_by_json_and_xml(daemon):
    xml = lodgetest.xml_for("web1", boot=False)
    made = daemon.rest("POST", "/v1/guests", {"xml": xml})
    assert made.status == 200 and made.body["name"] == "web1"
    again = daemon.rest("POST", "/v1/guests", xml.replace("web1", "web2"), {"Content-Type": "application/xml"})
    assert again.body["name"] == "web2"
    assert daemon.rest("GET", "/v1/guests/web2").body["state"] == "shut off"
    error = daemon.rest("GET", "/v1/guests/nope").body["error"]
    assert (error["code"], error["detail"]) == ("not-found", "target")
    assert daemon.rest("DELETE", "/v1/guests/web2").status == 200


def test_slow_client_harms_nobody(daemon, guest):
    """Half a request, and a console that nobody reads."""
    daemon.lodge("start", guest)
    with socket.socket(socket.AF_UNIX) as half, socket.socket(socket.AF_UNIX) as deaf:
        half.connect(str(daemon.socket))
        half.send(b"GET /v1/guests HT")
        deaf.connect(str(daemon.socket))
        deaf.send(f"GET /v1/guests/{guest}/console HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\n"
                  "Upgrade: lodge-stream\r\n\r\n".encode())
        for _ in range(5):
            daemon.lodge("list", timeout=29)  # half a request is waited for half a minute
    assert daemon.lodge("destroy", guest).code == 0


def test_half_of_a_verb(daemon):
    """"lodge host" says which verbs there are, and does not call it a misspelling of "list"."""
    answer = daemon.lodge("host", ok=False)
    assert answer.code == 2 and "host check" in answer.err and "list" not in answer.err
    for words in (("host", "--help"), ("help", "image")):
        out = daemon.lodge(*words).out
        assert "host check" in out or "image build" in out
