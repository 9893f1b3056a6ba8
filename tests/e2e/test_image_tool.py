"""`lodge image VERB` and the link qemu-img: beside the real one, word for word, and who uses an image."""
import re
import subprocess

import pytest

from lodgetest import LODGE, has_locks, run_image_tool, wait_until

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
]
MORE = STEPS + [  # every other option there is
    ["create", "-q", "-u", "-f", "qcow2", "-b", "gone.qcow2", "-F", "qcow2", "far.qcow2", "1M"],
    ["create", "--object", "secret,id=k,data=abc", "-f", "luks", "-o", "key-secret=k,iter-time=10", "l.luks", "1M"],
    ["measure", "--object", "secret,id=k,data=abc", "--image-opts", "-O", "raw",
     "driver=luks,key-secret=k,file.filename=l.luks"],
    ["info", "--image-opts", "driver=qcow2,file.filename=test.qcow2", "-U"],
    ["info", "-f", "qcow2", "--force-share", "--output", "human", "test.qcow2"],
    ["convert", "-q", "-W", "-m", "4", "-r", "100M", "-t", "unsafe", "-T", "writeback", "-S", "0", "-f", "qcow2", "-O",
     "qcow2", "-o", "lazy_refcounts=on", "test.qcow2", "more.qcow2"],
    ["convert", "-n", "--target-is-zero", "-O", "qcow2", "test.qcow2", "more.qcow2"],
    ["convert", "-C", "--salvage", "-O", "raw", "test.qcow2", "copied.raw"],
    ["convert", "-B", "test.qcow2", "-F", "qcow2", "-O", "qcow2", "test.qcow2", "above.qcow2"],
    ["convert", "--image-opts", "--target-image-opts", "-n", "driver=qcow2,file.filename=test.qcow2",
     "driver=raw,file.filename=copied.raw"],
    ["resize", "-q", "-f", "raw", "--preallocation=falloc", "copied.raw", "21M"],
    ["resize", "--preallocation", "off", "--image-opts", "driver=raw,file.filename=copied.raw", "22M"],
    ["rebase", "-q", "-t", "unsafe", "-T", "unsafe", "-f", "qcow2", "-b", "", "above.qcow2"],
    ["rebase", "-U", "-u", "-b", "test.qcow2", "-F", "qcow2", "above.qcow2"],
    ["commit", "-d", "-f", "qcow2", "-t", "unsafe", "-r", "1G", "-b", "test.qcow2", "above.qcow2"],
    ["check", "-q", "-r", "leaks", "-T", "none", "-f", "qcow2", "more.qcow2"],
    ["compare", "-p", "-q", "-s", "-U", "-f", "qcow2", "-F", "raw", "-T", "unsafe", "test.qcow2", "copied.raw"],
    ["snapshot", "-q", "-c", "two", "more.qcow2"],
    ["convert", "-l", "snapshot.name=two", "-O", "raw", "more.qcow2", "two.raw"],
    ["measure", "-f", "qcow2", "-l", "two", "-O", "raw", "--output=json", "more.qcow2"],
    ["measure", "--image-opts", "-U", "-O", "qcow2", "-o", "cluster_size=4k", "driver=raw,file.filename=test.raw"],
    ["snapshot", "-a", "two", "more.qcow2"],
    ["snapshot", "-U", "--image-opts", "-l", "driver=qcow2,file.filename=test.qcow2"],
    ["bitmap", "--add", "-g", "64k", "-f", "qcow2", "more.qcow2", "b0"],
    ["bitmap", "--disable", "more.qcow2", "b0"],
    ["bitmap", "--add", "--merge", "b0", "more.qcow2", "b1"],
    ["bitmap", "--merge", "b0", "-b", "more.qcow2", "-F", "qcow2", "more.qcow2", "b1"],
    ["convert", "--bitmaps", "--skip-broken-bitmaps", "-O", "qcow2", "more.qcow2", "bits.qcow2"],
    ["map", "-f", "qcow2", "-s", "64k", "-l", "1M", "-U", "test.qcow2"],
    ["map", "--start-offset=64k", "--max-length", "1M", "--output", "human", "test.qcow2"],
    ["amend", "-p", "-q", "-f", "qcow2", "-t", "unsafe", "--force", "-o", "lazy_refcounts=off", "more.qcow2"],
    ["check", "--image-opts", "driver=qcow2,file.filename=more.qcow2"],
    ["info", "none.qcow2"],
    ["create", "-f", "nosuch", "x", "1M"],
    ["convert"],
]


def same(text):
    """Without lines of what is random, or the file system's own affair."""
    return [line for line in text.splitlines() if not re.search("cid|disk size|actual-size", line)]


def run(words, folder):
    return run_image_tool(words, cwd=folder)


@pytest.mark.parametrize("link", [False, True])
def test_as_qemu_img(tmp_path, link):
    theirs, ours = tmp_path / "theirs", tmp_path / "ours"
    theirs.mkdir()
    ours.mkdir()
    (tmp_path / "qemu-img").symlink_to(LODGE)
    start = [tmp_path / "qemu-img"] if link else [LODGE, "image"]
    for step in STEPS if link else MORE:
        a, b = run(["qemu-img", *step], theirs), run([*start, *step], ours)
        assert (b.returncode, same(b.stdout)) == (a.returncode, same(a.stdout)), (step, b.stderr)
        assert b.stderr == a.stderr, step
    assert sorted(p.name for p in ours.iterdir()) == sorted(p.name for p in theirs.iterdir())


def test_json_and_help(tmp_path):
    run([LODGE, "image", "create", "-f", "qcow2", "x.qcow2", "1M"], tmp_path)
    assert '"virtual-size": 1048576' in run([LODGE, "--json", "image", "info", "x.qcow2"], tmp_path).stdout
    assert '"virtual-size": 1048576' in run([LODGE, "image", "info", "x.qcow2", "--json"], tmp_path).stdout
    asked = run([LODGE, "image", "create", "--help"], tmp_path).stdout
    assert "-f FORMAT" in asked and run([LODGE, "help", "image", "create"], tmp_path).stdout == asked
    assert run([LODGE, "--help", "image", "create"], tmp_path).stdout == asked


def test_names_who_uses_it(tmp_path):
    """Who holds an image is named, its file stays as it is."""
    run(["qemu-img", "create", "-q", "-f", "qcow2", "used.qcow2", "8M"], tmp_path)
    held = subprocess.Popen(["qemu-io", "used.qcow2"], cwd=tmp_path, stdin=subprocess.PIPE,
                            stdout=subprocess.PIPE, text=True)
    try:
        wait_until(lambda: has_locks(held.pid), 60, "qemu-io to have locked its image")
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
