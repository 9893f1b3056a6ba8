"""What this machine's kernel may not have, on Debian's own kernel under emulation, which sees this machine's files:
what it runs is tests/lab/*.sh, each with a Lodge of its own. It takes the plain build; sanitizers are slow there."""
import os
import subprocess

import pytest

from lodgetest import ROOT, guest_files

PLAIN = ROOT / "build" / "lodge"
SCRIPTS = ["cgroups", "hostdev", "networks", "cifs", "vsock"]


@pytest.mark.skipif(os.geteuid() != 0 or not PLAIN.exists(), reason="needs root and build/lodge (make)")
@pytest.mark.timeout(1200)  # the first run fetches a kernel
def test_lab():
    guest_files("lab")
    done = subprocess.run([ROOT / "tests/lab/boot", PLAIN, *SCRIPTS], text=True, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if "==== " not in done.stdout:  # no script was reached
        pytest.skip(f"the lab does not boot here: {done.stdout[-2000:]}")
    assert done.returncode == 0, done.stdout[-12000:]
    print(done.stdout)
