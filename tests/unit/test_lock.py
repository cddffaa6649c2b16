"""pip compares the hashes of the lock; `make lock` writes them; `make audit` tells no answer from no finding."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import stat
import subprocess
import sys
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import version
from pathlib import Path

import pytest
from packaging.version import Version

ENVS = Path(__file__).parents[2] / "envs"
NOBODY = "http://127.0.0.1:9/"  # the port `discard`, where nothing listens


def wheel(folder: Path, name: str, number: str, *needs: str) -> Path:
    """Write a wheel that holds nothing but its metadata."""
    path = folder / f"{name}-{number}-py3-none-any.whl"
    info = f"{name}-{number}.dist-info"
    with zipfile.ZipFile(path, "w") as file:
        required = "".join(f"Requires-Dist: {each}\n" for each in needs)
        file.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {number}\n{required}")
        file.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        file.writestr(f"{info}/RECORD", "")
    return path


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def install(folder: Path, lock: Path) -> subprocess.CompletedProcess[str]:
    """Install what a lock names from the wheels of a folder, into a folder of its own, as `make install` does."""
    options = ["--isolated", "--no-index", "--find-links", folder, "--target", folder / "there", "--require-hashes"]
    command = [sys.executable, "-m", "pip", "install", *options, "--no-build-isolation", "-r", lock]
    return subprocess.run(command, capture_output=True, text=True)


@pytest.fixture
def lock_script():
    """Return envs/lock.py as a module: it is no part of the package."""
    spec = importlib.util.spec_from_file_location("lock_script", ENVS / "lock.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.OTHER_BUILDS = {"tiny": NOBODY}
    return module


@pytest.fixture
def index(tmp_path, lock_script):
    """Serve the files of `tmp_path` as a package index does (PEP 691), and let the script ask there."""

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            name = self.path.strip("/").replace("-", "_")
            found = [path for path in tmp_path.iterdir() if path.name.replace("-", "_").startswith(f"{name}_")]
            files = [{"filename": path.name, "hashes": {"sha256": sha256(path)}} for path in found]
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps({"files": files}).encode())

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Page)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    lock_script.INDEX = f"http://127.0.0.1:{server.server_port}"
    yield tmp_path
    server.shutdown()
    server.server_close()


def test_what_make_lock_writes_is_installed_and_a_single_changed_byte_is_refused(index, lock_script):
    made = wheel(index, "tiny", "1.0")
    lock = index / "lock.txt"
    lock.write_text("# ours\ntiny==1.0\n", encoding="utf-8")
    lock_script.main([lock])
    assert lock.read_text(encoding="utf-8") == f"# ours\ntiny==1.0 \\\n    --hash=sha256:{sha256(made)}\n"
    done = install(index, lock)
    assert done.returncode == 0, done.stderr
    assert (index / "there" / "tiny-1.0.dist-info").is_dir()

    content = bytearray(made.read_bytes())
    content[content.index(b"Name: tiny")] ^= 0x20  # in the metadata, which is stored as it is
    made.write_bytes(content)
    done = install(index, lock)
    assert done.returncode != 0
    assert "DO NOT MATCH THE HASHES" in done.stderr


def test_a_package_that_the_lock_does_not_name_is_not_fetched_along(tmp_path):
    made = wheel(tmp_path, "tiny", "1.0", "other>=1")
    wheel(tmp_path, "other", "1.5")
    lock = tmp_path / "lock.txt"
    lock.write_text(f"tiny==1.0 --hash=sha256:{sha256(made)}\n", encoding="utf-8")
    done = install(tmp_path, lock)
    assert done.returncode != 0
    assert "must have their versions pinned" in done.stderr


@pytest.mark.skipif(Version(version("pip")) < Version("26.1"), reason="envs/bootstrap.txt brings a newer pip")
def test_what_only_another_build_needs_is_compared_with_the_hash_of_the_constraint(tmp_path):
    made, needed = wheel(tmp_path, "tiny", "1.0", "other<2,>=1"), wheel(tmp_path, "other", "1.5")
    wheel(tmp_path, "unneeded", "1.0")
    lock, constraint = tmp_path / "lock.txt", tmp_path / "cuda.txt"
    lock.write_text(f"-c cuda.txt\ntiny==1.0 --hash=sha256:{sha256(made)}\n", encoding="utf-8")
    for digest, code in ((sha256(needed), 0), ("0" * 64, 1)):
        constraint.write_text(f"other==1.5 --hash=sha256:{digest}\nunneeded==1.0\n", encoding="utf-8")
        done = install(tmp_path, lock)
        assert done.returncode == code, done.stderr
    assert {path.name for path in (tmp_path / "there").glob("*.dist-info")} == {
        "tiny-1.0.dist-info", "other-1.5.dist-info"
    }  # fmt: skip


def test_every_file_of_the_version_is_listed_wheels_and_source_and_no_other(index, lock_script):
    names = ["some_name-1.0-cp311-cp311-macosx_14_0_arm64.whl", "some_name-1.0-cp312-cp312-linux_x86_64.whl",
             "some-name-1.0.tar.gz", "some_name-1.0.1-py3-none-any.whl", "some_name-1.0rc1.zip"]  # fmt: skip
    for name in names:
        (index / name).write_text(name, encoding="utf-8")
    lock = index / "lock.txt"
    lock.write_text(
        f'-c cuda.txt\nSome.Name==1.0 ; python_version < "3.12" \\\n    --hash=sha256:{"0" * 64}\n', encoding="utf-8"
    )
    lock_script.main([lock])
    first, *hashes = lock.read_text(encoding="utf-8").replace(" \\\n", "").strip().split("    --hash=sha256:")
    assert first == '-c cuda.txt\nSome.Name==1.0 ; python_version < "3.12"'
    assert hashes == sorted(sha256(index / name) for name in names[:3])


def test_a_version_that_the_index_does_not_have_ends_it_before_anything_is_written(index, lock_script):
    wheel(index, "tiny", "1.0")
    lock, other = index / "lock.txt", index / "other.txt"
    other.write_text("tiny==1.0\n", encoding="utf-8")
    lock.write_text("tiny==1.1\n", encoding="utf-8")
    with pytest.raises(SystemExit, match=r"no file of tiny==1\.1; nothing was written"):
        lock_script.main([other, lock])
    assert other.read_text(encoding="utf-8") == "tiny==1.0\n"


def test_a_build_whose_page_is_not_known_is_refused(index, lock_script):
    lock = index / "lock.txt"
    lock.write_text("other==1.0+cpu\n", encoding="utf-8")
    with pytest.raises(SystemExit, match=r"other==1\.0\+cpu is on no index"):
        lock_script.main([lock])


@pytest.mark.parametrize("line", ["tiny>=1.0", "tiny", "-r other.txt", "-e .", "tiny @ file:///tiny.whl"])
def test_a_line_that_is_no_exact_pin_is_refused(line, index, lock_script):
    lock = index / "lock.txt"
    lock.write_text(f"{line}\n", encoding="utf-8")
    with pytest.raises(SystemExit, match="not `name==version`"):
        lock_script.main([lock])


def test_hashes_of_a_build_that_is_elsewhere_stay_where_that_place_is_not_reached(index, lock_script, capsys):
    lock = index / "lock.txt"
    text = f"tiny==1.0+cpu \\\n    --hash=sha256:{'7' * 64}\n"
    lock.write_text(text, encoding="utf-8")
    lock_script.main([lock])
    assert lock.read_text(encoding="utf-8") == text
    assert "tiny==1.0+cpu stay as they are" in capsys.readouterr().out


def test_hashes_of_a_build_that_is_elsewhere_are_read_from_the_page_there(tmp_path, lock_script):
    page, lock = tmp_path / "page.html", tmp_path / "lock.txt"
    page.write_text(
        f'<a href="/whl/cpu/tiny-1.0%2Bcpu-cp311-cp311-linux_x86_64.whl#sha256={"a" * 64}">…</a>\n'
        f'<a href="/whl/cpu/tiny-1.1%2Bcpu-cp311-cp311-linux_x86_64.whl#sha256={"b" * 64}">…</a>\n',
        encoding="utf-8",
    )
    lock.write_text("tiny==1.0+cpu\n", encoding="utf-8")
    lock_script.OTHER_BUILDS = {"tiny": page.as_uri()}
    lock_script.main([lock])
    assert lock.read_text(encoding="utf-8") == f"tiny==1.0+cpu \\\n    --hash=sha256:{'a' * 64}\n"


FINE = {"name": "tiny", "version": "1.0", "vulns": []}
HURT = {"name": "sore", "version": "2.0", "vulns": [{"id": "PYSEC-1", "fix_versions": ["2.1"]}]}
UNKNOWN = {"name": "lost", "skip_reason": "Dependency not found on PyPI"}
UNREACHED = "requests.exceptions.ConnectionError: no such host"


def audited(tmp_path: Path, **answers: list[dict] | str) -> subprocess.CompletedProcess[str]:
    """Run envs/audit.py with a pip-audit that gives these answers: packages, or the last words of one that fails."""
    program = tmp_path / "pip-audit"
    program.write_text(
        f"#!{sys.executable}\nimport json, sys\nanswer = {answers!r}[sys.argv[sys.argv.index('-s') + 1]]\n"
        "sys.exit(answer) if isinstance(answer, str) else print(json.dumps({'dependencies': answer}))\n"
        "sys.exit(any(each.get('vulns') for each in answer))\n",
        encoding="utf-8",
    )
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return subprocess.run([sys.executable, ENVS / "audit.py", program, "a.txt"], capture_output=True, text=True)


def test_no_known_vulnerability_is_said_with_how_many_were_asked_about(tmp_path):
    done = audited(tmp_path, pypi=[FINE, FINE])
    assert (done.returncode, done.stdout) == (0, "no known vulnerabilities in 2 packages (pypi)\n")


def test_a_known_vulnerability_is_named_and_ends_with_1(tmp_path):
    done = audited(tmp_path, pypi=[FINE, HURT])
    assert done.returncode == 1
    assert done.stdout.splitlines() == [
        "sore 2.0: PYSEC-1, fixed in 2.1",
        "1 known vulnerabilities in 2 packages (pypi)",
    ]


def test_a_service_that_knows_none_of_the_packages_has_not_audited_them(tmp_path):
    done = audited(tmp_path, pypi=[UNKNOWN, UNKNOWN], osv=UNREACHED)
    assert done.returncode == 0
    assert done.stdout.startswith("not audited: pypi: knows none of 2 packages")
    assert "no such host" in done.stdout
    assert len(done.stdout.splitlines()) == 1
    assert "no known" not in done.stdout


def test_where_one_service_is_not_reached_the_other_is_asked(tmp_path):
    assert audited(tmp_path, pypi=UNREACHED, osv=[HURT]).returncode == 1


def test_a_package_that_the_service_does_not_know_is_named(tmp_path):
    done = audited(tmp_path, pypi=[FINE, UNKNOWN])
    assert done.stdout.endswith("1 packages (pypi); not audited, as pypi does not know them: lost\n")


def test_any_other_failure_of_pip_audit_is_an_error(tmp_path):
    done = audited(tmp_path, pypi="ERROR: a.txt is missing hashes")
    assert done.returncode == 1
    assert "pip-audit failed: ERROR: a.txt is missing hashes" in done.stderr
