"""The output folder: what is not ours stays as it is, whatever name or link it has; one download writes at a time."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tests.unit.download.tricks import Listed

from hypnoflow.download._files import OURS, RemoteFile
from hypnoflow.download.client import Client
from hypnoflow.download.fetch import download
from hypnoflow.errors import CohortError

MARK = b"somebody's own, and nowhere else"
BODIES = {f"deep/er/n{i}.edf": b"EDF %d " % i * 500 for i in range(3)} | {"table.csv": b"a,b\n"}
SHA = {path: hashlib.sha256(body).hexdigest() for path, body in BODIES.items()}
RECORD = ".hypnoflow-download.json"


@pytest.fixture
def source(site):
    site.files |= {f"/{path}": body for path, body in BODIES.items()}
    return Listed([RemoteFile(path, (site.url + path,), f"sha256:{SHA[path]}") for path in BODIES])


@pytest.fixture
def victim(tmp_path):
    """A file of the user's outside the output folder; nothing may happen to it."""
    path = tmp_path / "victim"
    path.write_bytes(MARK)
    yield path
    assert path.read_bytes() == MARK


def tree(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def interrupted(source, site, out) -> Path:
    """Stop a download with Ctrl-C after half of the first file; return where that half lies."""

    def stop(pause_s: float) -> None:
        raise KeyboardInterrupt

    site.tricks["/deep/er/n0.edf"] = ["cut"]
    with pytest.raises(KeyboardInterrupt):
        download(source, out, None, Client(sleep=stop, timeout_s=5))
    (part,) = out.glob(".hypnoflow-*.part")
    return part


# --- goes on, cleans up ----------------------------------------------------------------------------------------


def test_what_ctrl_c_leaves_is_gone_on_with_and_nothing_of_ours_stays(source, site, client, tmp_path):
    part = interrupted(source, site, tmp_path)
    assert part.read_bytes() == BODIES["deep/er/n0.edf"][:1500]
    assert download(source, tmp_path, None, client) == {}
    assert ("/deep/er/n0.edf", "bytes=1500-") in site.asked
    assert tree(tmp_path) == BODIES


def test_temporary_names_cannot_be_told_beforehand(source, site, client, tmp_path):
    names = {interrupted(source, site, tmp_path / str(i)).name for i in range(3)}
    assert len(names) == 3
    assert all(len(name.split("-")[1]) == 32 for name in names)


def test_what_is_left_of_a_file_that_came_otherwise_goes_with_it(source, site, client, tmp_path):
    part = interrupted(source, site, tmp_path)
    (tmp_path / "deep" / "er").mkdir(parents=True)
    (tmp_path / "deep/er/n0.edf").write_bytes(BODIES["deep/er/n0.edf"])
    download(source, tmp_path, 3, client)
    assert not part.exists()
    assert tree(tmp_path) == BODIES


# --- names that are taken --------------------------------------------------------------------------------------


@pytest.mark.parametrize("own", [MARK, b"EDF 1 " * 499 + b"EDF 2 ", b""], ids=["other", "same size", "empty"])
def test_a_file_of_a_published_name_is_kept_and_said_and_the_others_come(source, client, tmp_path, own):
    path = "deep/er/n1.edf"
    (tmp_path / "deep/er").mkdir(parents=True)
    (tmp_path / path).write_bytes(own)
    failed = download(source, tmp_path, None, client)
    assert set(failed) == {path}
    found = hashlib.sha256(own).hexdigest()
    assert f"is not the published one (sha256 {found} in place of {SHA[path]})" in failed[path]
    assert "move it away, and run again" in failed[path]
    assert {p: b for p, b in tree(tmp_path).items() if p in BODIES} == BODIES | {path: own}


def test_files_that_are_taken_say_nothing_about_the_server(site, client, tmp_path):
    bodies = {f"n{i}.edf": b"%d" % i for i in range(9)}
    site.files |= {f"/{path}": body for path, body in bodies.items()}
    for i in range(7):
        (tmp_path / f"n{i}.edf").write_bytes(MARK)
    listed = Listed([RemoteFile(path, (site.url + path,), size=len(body)) for path, body in bodies.items()])
    assert set(download(listed, tmp_path, None, client)) == {f"n{i}.edf" for i in range(7)}
    assert (tmp_path / "n8.edf").read_bytes() == b"8"


@pytest.mark.parametrize("kind", ["link", "dangling", "folder", "pipe"])
def test_what_is_no_file_under_a_published_name_is_left(source, client, tmp_path, victim, kind):
    out = tmp_path / "out"
    (out / "deep/er").mkdir(parents=True)
    target = out / "deep/er/n1.edf"
    if kind in ("link", "dangling"):
        target.symlink_to(victim if kind == "link" else tmp_path / "nowhere")
    elif kind == "pipe":
        os.mkfifo(target)
    else:
        target.mkdir()
    before = target.lstat().st_ino
    failed = download(source, out, None, client)
    assert set(failed) == {"deep/er/n1.edf"}
    assert "move it away, and run again" in failed["deep/er/n1.edf"]
    assert target.lstat().st_ino == before
    assert not (tmp_path / "nowhere").exists()


def test_a_link_in_the_way_is_not_gone_through(source, client, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "deep").symlink_to(tmp_path / "elsewhere")
    failed = download(source, tmp_path / "out", None, client)
    assert set(failed) == {path for path in BODIES if path.startswith("deep")}
    assert "deep, a link or a file, is in its way" in failed["deep/er/n0.edf"]
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_the_folder_itself_may_be_a_link(source, client, tmp_path):
    (tmp_path / "disk").mkdir()
    (tmp_path / "out").symlink_to(tmp_path / "disk")
    assert download(source, tmp_path / "out", None, client) == {}
    assert tree(tmp_path / "disk") == BODIES


@pytest.mark.parametrize("name", ["table.csv.part", ".table.csv.partial", ".failed.txt.partial"])
@pytest.mark.parametrize("link", [True, False])
def test_names_that_browsers_and_earlier_versions_use_are_not_ours(source, client, tmp_path, victim, name, link):
    out = tmp_path / "out"
    out.mkdir()
    if link:
        (out / name).symlink_to(victim)
    else:
        (out / name).write_bytes(MARK)
    assert download(source, out, None, client) == {}
    assert (out / name).is_symlink() == link
    assert (out / name).read_bytes() == MARK


def test_what_comes_up_while_a_file_arrives_is_kept(source, site, client, tmp_path):
    def late(handler):
        (tmp_path / "table.csv").write_bytes(MARK)
        handler.send(b"a,b\n", cut=False)

    site.tricks["/table.csv"] = [late]
    failed = download(source, tmp_path, None, client)
    assert "has come up meanwhile" in failed["table.csv"]
    assert (tmp_path / "table.csv").read_bytes() == MARK


def test_where_there_are_no_hard_links_nothing_is_replaced_either(source, site, client, tmp_path, monkeypatch):
    def link(part, name, **folders):
        raise OSError(errno.EPERM, "Operation not permitted", part)

    def late(handler):
        (tmp_path / "table.csv").write_bytes(MARK)
        handler.send(b"a,b\n", cut=False)

    monkeypatch.setattr(os, "link", link)
    site.tricks["/table.csv"] = [late]
    assert set(download(source, tmp_path, None, client)) == {"table.csv"}
    assert (tmp_path / "table.csv").read_bytes() == MARK
    (tmp_path / "table.csv").unlink()
    assert download(source, tmp_path, None, client) == {}
    assert tree(tmp_path) == BODIES


# --- parts and the record --------------------------------------------------------------------------------------


@pytest.mark.parametrize("hard", [True, False])
def test_a_link_in_place_of_a_begun_file_is_not_written_through(source, site, client, tmp_path, victim, hard):
    part = interrupted(source, site, tmp_path / "out")
    part.unlink()
    if hard:
        part.hardlink_to(victim)
    else:
        part.symlink_to(victim)
    failed = download(source, tmp_path / "out", None, client)
    assert set(failed) == {"deep/er/n0.edf"}
    assert f"{part.name} in {tmp_path / 'out'} is not what an earlier run left there" in failed["deep/er/n0.edf"]


@pytest.mark.parametrize(
    "record",
    [
        MARK,
        b"",
        b"[]",
        b"{" * 900,
        b'{"made_by": "hypnoflow download"}',
        b'{"made_by": "hypnoflow download", "token": "../../../../../../victim........."}',
        b'{"made_by": "hypnoflow download", "token": 5}',
        b'{"made_by": "me", "token": "00000000000000000000000000000000"}',
        b'{"made_by": "hypnoflow download", "token": "00000000000000000000000000000000"}' + b" " * 1000,
    ],
)
def test_a_record_of_another_form_is_not_believed_and_not_replaced(source, client, tmp_path, record):
    (tmp_path / RECORD).write_bytes(record)
    with pytest.raises(CohortError, match="is no record of a download: move it away, and run again"):
        download(source, tmp_path, None, client)
    assert tree(tmp_path) == {RECORD: record}


def test_a_link_in_place_of_the_record_is_not_followed(source, client, tmp_path, victim):
    victim.write_bytes(b'{"made_by": "hypnoflow download", "token": "00000000000000000000000000000000"}')
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / RECORD).symlink_to(victim)
    with pytest.raises(CohortError, match="is a link or a folder, and no record of a download"):
        download(source, tmp_path / "out", None, client)
    assert b"token" in victim.read_bytes()
    victim.write_bytes(MARK)


def test_a_second_download_into_the_folder_is_told_of_the_first(source, client, tmp_path):
    code = (
        "import sys; from pathlib import Path; from hypnoflow.download._folder import OutFolder\n"
        "folder = OutFolder(Path(sys.argv[1])); print('in', flush=True); input(); folder.close(finished=True)"
    )
    first = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert first.stdout.readline() == "in\n"
        with pytest.raises(CohortError, match=f"another download writes to {tmp_path}: wait until it has ended"):
            download(source, tmp_path, None, client)
        assert set(tree(tmp_path)) == {RECORD}
    finally:
        first.communicate("\n", timeout=60)
    assert download(source, tmp_path, None, client) == {}
    assert tree(tmp_path) == BODIES


def test_a_file_system_without_locks_does_not_stop_a_download(source, client, tmp_path, monkeypatch):
    def none(file, kind):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "lockf", none)
    assert download(source, tmp_path, None, client) == {}
    assert tree(tmp_path) == BODIES


# --- what failed -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["file", "link", "folder"])
@pytest.mark.parametrize("name", ["failed.txt", "download.json"])
def test_lists_of_the_users_own_are_refused_at_the_start(source, site, client, tmp_path, victim, name, kind):
    out = tmp_path / "out"
    out.mkdir()
    own = out / name
    if kind == "file":
        own.write_bytes(MARK)
    elif kind == "link":
        own.symlink_to(victim)
    else:
        own.mkdir()
    site.tricks["/table.csv"] = [403]
    with pytest.raises(CohortError, match=rf"{name} was not written by `hypnoflow download`, or was changed since"):
        download(source, out, None, client)
    assert [p.name for p in out.iterdir()] == [name]
    assert (own.is_symlink(), own.is_dir()) == (kind == "link", kind == "folder")
    assert kind == "folder" or own.read_bytes() == MARK


def test_failed_json_of_the_user_is_nobodys_business(source, client, tmp_path):
    (tmp_path / "failed.json").write_bytes(MARK)
    assert download(source, tmp_path, None, client) == {}
    assert (tmp_path / "failed.json").read_bytes() == MARK


def test_our_own_lists_are_replaced_and_go_when_all_is_there(source, site, client, tmp_path):
    site.tricks["/table.csv"] = [403, 404]
    for words in ("(403)", "(404)"):
        failed = download(source, tmp_path, None, client)
        assert words in failed["table.csv"]
        assert json.loads((tmp_path / "download.json").read_text())["failed"] == failed
        assert (tmp_path / "failed.txt").read_text() == f"table.csv\t{failed['table.csv']}\n"
    assert download(source, tmp_path, None, client) == {}
    assert tree(tmp_path) == BODIES


def test_a_list_that_the_user_has_written_into_is_kept(source, site, client, tmp_path):
    site.tricks["/table.csv"] = [403]
    download(source, tmp_path, None, client)
    with (tmp_path / "failed.txt").open("ab") as stream:
        stream.write(MARK)
    before = tree(tmp_path)
    with pytest.raises(CohortError, match=r"failed\.txt was not written by .* or was changed since"):
        download(source, tmp_path, None, client)
    assert tree(tmp_path) == before


def test_what_a_server_says_cannot_break_a_line_of_the_list(source, site, client, tmp_path):
    site.tricks["/table.csv"] = [lambda handler: handler.head(200, "Content-Length: \x1b[2J\tx\x85y")]
    failed = download(source, tmp_path, None, client)
    assert failed["table.csv"].isprintable()
    assert len((tmp_path / "failed.txt").read_text().splitlines()) == 1


# --- everything at once ----------------------------------------------------------------------------------------


def plant(rng: random.Random, out: Path, outside: Path, names: list[str]) -> list[Path]:
    """Put marked files, and links to marked files, at random names; return the marked files."""
    marked = []
    for at, name in enumerate(names):
        path = out / name
        # A plain file under the one name that nobody can foresee is ours.
        kinds = [
            "nothing",
            "nothing",
            "link",
            "hard",
            "folder",
            "parent",
            *["file"] * (not name.startswith(OURS) or name == RECORD),
        ]
        kind = rng.choice(kinds)
        own = outside / f"{at}"
        own.write_bytes(MARK)
        with contextlib.suppress(OSError):
            if kind == "parent":
                path.parent.parent.mkdir(parents=True, exist_ok=True)
                path.parent.symlink_to(outside)
            else:
                path.parent.mkdir(parents=True, exist_ok=True)
            if kind == "file":
                path.write_bytes(MARK)
                marked.append(path)
            elif kind == "link":
                path.symlink_to(own)
            elif kind == "hard":
                path.hardlink_to(own)
            elif kind == "folder":
                path.mkdir()
                (path / "own").write_bytes(MARK)
                marked.append(path / "own")
        marked.append(own)
    return marked


@pytest.mark.parametrize("seed", range(40))
def test_every_byte_of_the_users_is_there_afterwards(source, site, client, tmp_path, seed):
    rng = random.Random(seed)
    out, outside = tmp_path / "out", tmp_path / "outside"
    outside.mkdir()
    part = interrupted(source, site, out) if seed % 2 else out / "x.part"
    if part.exists() and rng.random() < 0.5:
        part.unlink()
    rare = [name for name in (RECORD, "download.json", "failed.txt") if rng.random() < 0.2]
    names = [*BODIES, *(f"{path}.part" for path in BODIES), part.name, *rare, "failed.json", ".failed.txt.partial"]
    marked = plant(rng, out, outside, [name for name in names if not (out / name).exists()])
    there = set(outside.iterdir())
    site.tricks |= {f"/{path}": [rng.choice([403, 404, "cut", b"wrong"])] for path in BODIES if rng.random() < 0.3}
    for _ in range(2):
        with contextlib.suppress(CohortError):
            download(source, out, None, client)
    assert all(path.read_bytes() == MARK for path in marked)
    assert set(outside.iterdir()) == there
    shutil.rmtree(out)
