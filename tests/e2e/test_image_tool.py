"""`lodge image VERB` and the link qemu-img: beside the real one, word for word, and who uses an image."""
import os
import pathlib
import re
import subprocess

import pytest

from lodgetest import LODGE, wait_until

STEPS = [  # of each: both run it, in a folder of their own
    ["create", "-f", "qcow2", "test.qcow2", "20M"],
    ["create", "-f", "qcow2", "-o", "cluster_size=4096,lazy_refcounts=on", "small.qcow2", "5M"],
    ["create", "-f", "qcow2", "-b", "test.qcow2", "-F", "qcow2", "linked.qcow2"],
    ["create", "-f", "vmdk", "a b,c.vmdk", "7M"],
    ["info", "test.qcow2"],
    ["info", "--output=json", "--backing-chain", "linked.qcow2"],
    ["info", "a b,c.vmdk"],
    ["convert", "-p", "-O", "raw", "test.qcow2", "test.raw"],
    ["convert", "-f", "raw", "-O", "qcow2", "-c", "test.raw", "again.qcow2"],
    ["resize", "test.raw", "-f", "raw", "+1M"],
    ["resize", "-f", "qcow2", "--shrink", "again.qcow2", "10M"],
    ["check", "linked.qcow2"],
    ["check", "--output", "json", "linked.qcow2"],
    ["compare", "test.qcow2", "again.qcow2"],
    ["snapshot", "-c", "one", "again.qcow2"],
    ["snapshot", "-d", "one", "again.qcow2"],
    ["snapshot", "-l", "again.qcow2"],
    ["rebase", "-u", "-b", "again.qcow2", "-F", "qcow2", "linked.qcow2"],
    ["commit", "-q", "linked.qcow2"],
    ["measure", "-O", "qcow2", "test.qcow2"],
    ["measure", "--size", "1G", "-O", "raw"],
    ["map", "--output=json", "linked.qcow2"],
    ["info", "none.qcow2"],
    ["create", "-f", "nosuch", "x", "1M"],
    ["convert"],
]


def same(text):
    """Without lines of what is random, or the file system's own affair."""
    return [line for line in text.splitlines() if not re.search("cid|disk size|actual-size", line)]


def run(words, folder):
    return subprocess.run(words, cwd=folder, text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=60)


@pytest.mark.parametrize("link", [False, True])
def test_as_qemu_img(tmp_path, link):
    theirs, ours = tmp_path / "theirs", tmp_path / "ours"
    theirs.mkdir()
    ours.mkdir()
    (tmp_path / "qemu-img").symlink_to(LODGE)
    start = [tmp_path / "qemu-img"] if link else [LODGE, "image"]
    for step in STEPS:
        a, b = run(["qemu-img", *step], theirs), run([*start, *step], ours)
        assert (b.returncode, same(b.stdout)) == (a.returncode, same(a.stdout)), (step, b.stderr)
        assert b.stderr == a.stderr, step
    assert sorted(p.name for p in ours.iterdir()) == sorted(p.name for p in theirs.iterdir())


def test_json_and_help(tmp_path):
    run([LODGE, "image", "create", "-f", "qcow2", "x.qcow2", "1M"], tmp_path)
    assert '"virtual-size": 1048576' in run([LODGE, "--json", "image", "info", "x.qcow2"], tmp_path).stdout
    assert '"virtual-size": 1048576' in run([LODGE, "image", "info", "x.qcow2", "--json"], tmp_path).stdout
    assert "-f FORMAT" in run([LODGE, "image", "create", "--help"], tmp_path).stdout


def test_names_who_uses_it(tmp_path):
    """Who holds an image is named, its file stays as it is."""
    run(["qemu-img", "create", "-q", "-f", "qcow2", "used.qcow2", "8M"], tmp_path)
    held = subprocess.Popen(["qemu-io", "used.qcow2"], cwd=tmp_path, stdin=subprocess.PIPE,
                            stdout=subprocess.PIPE, text=True)
    try:
        wait_until(lambda: "OFDLCK" in "".join(
            (pathlib.Path("/proc") / str(held.pid) / "fdinfo" / fd).read_text()
            for fd in os.listdir(f"/proc/{held.pid}/fd")), 60, "qemu-io to have locked its image")
        for words in (["resize", "used.qcow2", "+1M"], ["create", "-f", "qcow2", "used.qcow2", "1M"],
                      ["convert", "used.qcow2", "copy.raw"], ["info", "used.qcow2"],
                      ["check", "-r", "all", "used.qcow2"]):
            done = run([LODGE, "image", *words], tmp_path)
            assert done.returncode != 0, words
            assert "used.qcow2" in done.stderr and f"process {held.pid} (qemu-io)" in done.stderr, words
        assert run([LODGE, "image", "info", "-U", "used.qcow2"], tmp_path).returncode == 0
    finally:
        held.communicate("quit\n", timeout=60)
    assert not (tmp_path / "copy.raw").exists()
    assert run([LODGE, "image", "resize", "used.qcow2", "+1M"], tmp_path).returncode == 0
