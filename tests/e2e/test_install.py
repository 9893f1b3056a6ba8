"""`make install`: what it builds is what it puts in place, and that works."""
import json
import os
import pathlib
import subprocess

from lodgetest import BUILD, ROOT


def output_of(*words, **options):
    return subprocess.run(words, check=True, text=True, stdout=subprocess.PIPE, **options).stdout


def test_all_that_is_installed_is_built_for_it():
    """nss's module was not: `make install` failed where `make check` had not run before."""
    files = json.loads(output_of("meson", "introspect", "--installed", str(BUILD)))
    made = {os.path.relpath(path, BUILD) for path in files if pathlib.Path(path).is_relative_to(BUILD.resolve())}
    built = set(output_of("ninja", "-C", str(BUILD), "-t", "query", "installed").split())
    configured = {"packaging/lodged.service"}  # by meson itself
    assert made - configured and not made - configured - built


def test_what_is_installed_runs(tmp_path):
    output_of("meson", "install", "-C", str(BUILD), "--no-rebuild", "--quiet",
              env={**os.environ, "DESTDIR": str(tmp_path)})
    program = next(tmp_path.rglob("bin/lodge"))
    assert output_of(program, "--version").startswith("lodge ")
    assert (program.parent / "lodged").resolve() == program
    names = {path.name for path in tmp_path.rglob("*") if path.is_file()}
    assert {"lodged.service", "lodged.socket", "lodge.1", "lodge.conf", "_lodge", "libnss_lodge.so.2",
            "org.libvirt.unix.policy", "60-lodge.rules"} <= names
    assert not list(tmp_path.rglob("lib64")), "Debian's loader does not look there"
    unit = next(tmp_path.rglob("lodged.service")).read_text()
    assert f"ExecStart=/{program.relative_to(tmp_path)} daemon" in unit


def test_policy_of_libvirt_stays(tmp_path):
    file = tmp_path / "share/polkit-1/actions/org.libvirt.unix.policy"
    for action, there in (("add", True), ("add", True), ("remove", False), ("remove", False)):
        output_of(ROOT / "packaging" / "polkit", action, str(tmp_path))
        assert file.exists() == there
    file.write_text("libvirt's own")
    for action in ("add", "remove"):
        output_of(ROOT / "packaging" / "polkit", action, str(tmp_path))
        assert file.read_text() == "libvirt's own"
