"""Each kind of server: what is asked, what is kept of its listing, and where it goes."""

from __future__ import annotations

import hashlib
import io
import shutil
import stat
import sys
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest

from hypnoflow.cli import main
from hypnoflow.cohorts import cohorts
from hypnoflow.download import rar
from hypnoflow.download._folder import OutFolder
from hypnoflow.download.client import Client
from hypnoflow.download.fetch import download, source_of
from hypnoflow.download.sources import SOURCES
from hypnoflow.errors import CohortError, ConfigError

# The 21 cohorts of AnySleep (papers.md, section 1.1).
ALL = (
    "abc", "ccshs", "cfs", "chat", "dcsm", "hpap", "mesa", "mros", "phys", "sedf-sc", "sedf-st", "shhs", "sof", "dodh",
    "dodo", "isruc-sg1", "isruc-sg2", "isruc-sg3", "mass-c1", "mass-c3", "svuh",
)  # fmt: skip
ROOT = Path(__file__).parents[3]
UUID = "095d6e40-5f19-55b6-a0ec-6e0ad3793da0"


def md5(body: bytes) -> str:
    return hashlib.md5(body).hexdigest()  # noqa: S324


def paths(folder: Path) -> set[str]:
    return {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()}


@pytest.fixture
def client():
    return Client(sleep=lambda pause_s: None, timeout_s=5)


def test_every_cohort_has_a_source_and_a_line_in_the_docs():
    assert sorted(SOURCES) == sorted(ALL)
    lines = (ROOT / "docs" / "data.md").read_text().splitlines()
    assert sorted(
        line.split(" | ")[0][2:] for line in lines if line.startswith("| ") and "cohort |" not in line
    ) == sorted(ALL)


def test_unknown_cohort_is_answered_with_the_closest():
    with pytest.raises(ConfigError, match="no source is known for 'isruc-sg9'; did you mean 'isruc-sg"):
        source_of("isruc-sg9")


# --- lists of sums -------------------------------------------------------------------------------------------

TREES = {
    "sedf-sc": (
        ["sleep-cassette/SC4001E0-PSG.edf", "sleep-cassette/SC4001EC-Hypnogram.edf", "SC-subjects.xls"],
        ["sleep-telemetry/ST7011J0-PSG.edf", "ST-subjects.xls", "RECORDS", "sleep-cassette/index.html"],
    ),
    "sedf-st": (
        ["sleep-telemetry/ST7011J0-PSG.edf", "sleep-telemetry/ST7011JP-Hypnogram.edf", "ST-subjects.xls"],
        ["sleep-cassette/SC4001E0-PSG.edf", "SC-subjects.xls"],
    ),
    "phys": (
        [*(f"training/tr03-0005/tr03-0005.{end}" for end in ("hea", "mat", "arousal")), "age-sex.csv"],
        ["training/tr03-0005/tr03-0005-arousal.mat", "test/te03-0001/te03-0001.mat", "training/RECORDS"],
    ),
    "svuh": (
        ["ucddb002.rec", "ucddb002_stage.txt", "ucddb002_respevt.txt", "SubjectDetails.xls"],
        ["ucddb002_lifecard.edf"],
    ),
    "dcsm": (
        [f"tp00e1be55_004f_4c9c_948a_6627c115c825/{name}" for name in ("psg.h5", "hypnogram.ids")],
        ["README.md"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("cohort", TREES)
def test_sums_servers_keep_what_the_cohort_is_made_of(cohort, site, client, tmp_path):
    wanted, other = TREES[cohort]
    site.files |= {f"/{path}": path.encode() for path in wanted}
    sums = "".join(f"{hashlib.sha256(path.encode()).hexdigest()}  {path}\n" for path in [*wanted, *other])
    site.files["/SHA256SUMS.txt"] = sums.encode()
    source = replace(source_of(cohort), url=site.url, sums="SHA256SUMS.txt")
    assert len({file.recording for file in source.files(client)} - {""}) == 1
    assert download(source, tmp_path, None, client) == {}
    assert paths(tmp_path) == set(wanted)


@pytest.mark.parametrize("body", [b"", b"not a sum  x\n", b"a" * 64 + b"  README\n"])
def test_list_of_sums_without_the_cohort_is_an_error(body, site, client, tmp_path):
    site.files["/SHA256SUMS.txt"] = body
    with pytest.raises(CohortError, match="none of this cohort"):
        download(replace(source_of("phys"), url=site.url), tmp_path, None, client)


@pytest.mark.parametrize("cohort", ["sedf-sc", "phys", "dodh"])
def test_downloaded_files_are_where_discover_looks(cohort, site, client, tmp_path, simulated):
    root = simulated(cohort)
    native = {
        str(p.relative_to(root)): p.read_bytes() for p in root.rglob("*") if p.is_file() and "truth" not in p.parts
    }
    site.files |= {f"/{path}": body for path, body in native.items()}
    if cohort == "dodh":
        site.files["/?list-type=2"] = bucket([(p, b) for p, b in native.items() if p.endswith(".h5")])
        scorers = next(p for p in native if p.endswith(".json") and "scorer_" in p).split("scorer_")[0]
        source = replace(source_of(cohort), url=site.url, scorers_url=f"{site.url}{scorers}")
    else:
        sums = "".join(f"{hashlib.sha256(body).hexdigest()} {path}\n" for path, body in native.items())
        site.files["/SHA256SUMS.txt"] = sums.encode()
        source = replace(source_of(cohort), url=site.url)
    assert download(source, tmp_path / "out", None, client) == {}
    found, wanted = (
        {f.recording: (f.age_y, len(f.annotation_paths)) for f in cohorts.get(cohort).discover(folder)}
        for folder in (tmp_path / "out", root)
    )
    assert found == wanted
    assert len(found) == 2


# --- S3 ------------------------------------------------------------------------------------------------------


def bucket(files: list[tuple[str, bytes]], following: str = "", etag=lambda body: f"&quot;{md5(body)}&quot;") -> bytes:
    entries = "".join(
        f"<Contents><Key>{key}</Key><Size>{len(body)}</Size><ETag>{etag(body)}</ETag></Contents>" for key, body in files
    )
    more = f"<NextContinuationToken>{following}</NextContinuationToken>" if following else ""
    return (
        f'<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">{more}{entries}</ListBucketResult>'.encode()
    )


@pytest.fixture
def dreem(site):
    """Two recordings on two pages of a bucket, the first with an ETag that is no MD5."""
    other = UUID[:-1] + "1"
    bodies = {UUID: b"first", other: b"second"}
    first = bucket([(f"{UUID}.h5", b"first"), ("index.html", b"x")], "a+b/c=", etag=lambda b: f"{md5(b)}-2")
    site.files |= {
        "/?list-type=2": first,
        "/?list-type=2&continuation-token=a%2Bb%2Fc%3D": bucket([(f"{other}.h5", b"second")]),
        **{f"/{name}.h5": body for name, body in bodies.items()},
        **{f"/scorers/scorer_{i}/{name}.json": b"[0, 1]" for name in bodies for i in range(1, 6)},
    }
    return replace(source_of("dodh"), url=site.url, scorers_url=f"{site.url}scorers/")


def test_dreem_recordings_come_page_by_page_with_five_scorers_each(dreem, client, tmp_path):
    assert download(dreem, tmp_path, None, client) == {}
    found = {f.recording: f.annotation_paths for f in cohorts.get("dodh").discover(tmp_path)}
    assert found == {
        name: tuple(f"scorers/dodh/scorer_{i}/{name}.json" for i in range(1, 6)) for name in (UUID, UUID[:-1] + "1")
    }
    assert len(paths(tmp_path)) == 12


def test_etag_of_one_part_is_the_checksum_and_of_several_is_not(dreem, client):
    by_name = {file.path: file for file in dreem.files(client)}
    assert by_name[f"{UUID}.h5"].checksum == ""
    assert by_name[f"{UUID}.h5"].size == 5
    assert by_name[UUID[:-1] + "1.h5"].checksum == "md5:" + md5(b"second")


def test_dreem_file_of_another_content_is_refused_by_its_etag(dreem, site, client, tmp_path):
    site.files[f"/{UUID[:-1]}1.h5"] = b"sEcond"
    assert set(download(dreem, tmp_path, None, client)) == {f"{UUID[:-1]}1.h5"}


@pytest.mark.parametrize("body", [b"{}", b"<a", b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>'])
def test_bucket_listing_that_is_none_is_an_error(dreem, site, client, tmp_path, body):
    site.files["/?list-type=2"] = body
    with pytest.raises(CohortError, match="something else than a listing"):
        download(dreem, tmp_path, None, client)


def test_empty_bucket_is_an_error(dreem, site, client, tmp_path):
    site.files["/?list-type=2"] = bucket([])
    with pytest.raises(CohortError, match="lists no recording"):
        download(dreem, tmp_path, None, client)


# --- archives ------------------------------------------------------------------------------------------------


@pytest.fixture
def tool(tmp_path, monkeypatch):
    """A stand-in for bsdtar that unpacks .tar, first on the path and alone there."""
    folder = tmp_path / "bin"
    folder.mkdir()
    script = folder / "bsdtar"
    script.write_text(
        f"#!{sys.executable}\nimport sys, tarfile\n"
        "archive = tarfile.open(sys.argv[3])\n"
        "archive.extraction_filter = lambda member, path: member\n"  # Python 3.11.2, Debian's, has no `filter` yet
        "if sys.argv[1] == '-t':\n    print(*archive.getnames(), sep='\\n')\n"
        "else:\n    archive.extractall(sys.argv[5])\n"
    )
    script.chmod(script.stat().st_mode | stat.S_IEXEC)
    monkeypatch.setenv("PATH", str(folder))
    return script


def archive(folder: Path, name: str, top: str = "", link: bool = False) -> bytes:
    inner = folder / "made" / name
    inner.mkdir(parents=True)
    (inner / f"{name}.rec").write_bytes(b"rec " + name.encode())
    (inner / f"{name}_1.txt").write_text("0\n")
    if link:
        (inner / "link").symlink_to("/etc/passwd")
    with tarfile.open(folder / "made.tar", "w") as tar:
        tar.add(inner, arcname=top or name)
    shutil.rmtree(folder / "made")
    return (folder / "made.tar").read_bytes()


@pytest.fixture
def isruc(site, tool, tmp_path):
    site.files |= {f"/new/subgroupI/{n}.rar": archive(tmp_path, str(n)) for n in (1, 2)}
    site.files["/old/Details/Details_subgroup_I_Submission.xlsx"] = b"xlsx"
    site.files["/old/subgroupI/3.rar"] = archive(tmp_path, "3")
    return replace(source_of("isruc-sg1"), persons=3, hosts=(f"{site.url}new/", f"{site.url}old/"))


ISRUC = {"Details_subgroup_I_Submission.xlsx", *(f"{n}/{n}{end}" for n in "123" for end in (".rec", "_1.txt"))}


def test_archives_are_unpacked_and_removed_and_the_second_host_helps_out(isruc, site, client, tmp_path):
    out = tmp_path / "out"
    assert download(isruc, out, None, client) == {}
    assert paths(out) == ISRUC
    site.asked.clear()
    assert download(isruc, out, None, client) == {}
    assert site.asked == []


def test_n_limits_the_archives(isruc, client, tmp_path):
    download(isruc, tmp_path / "out", 1, client)
    assert {path.partition("/")[0] for path in paths(tmp_path / "out")} == {"1", "Details_subgroup_I_Submission.xlsx"}


def test_broken_archive_is_named_and_fetched_again_by_the_next_run(isruc, site, client, tmp_path):
    out = tmp_path / "out"
    site.tricks["/new/subgroupI/2.rar"] = [b"no archive"]
    assert "2.rar: bsdtar cannot unpack it" in download(isruc, out, None, client)["2.rar"]
    assert download(isruc, out, None, client) == {}
    assert paths(out) == ISRUC


@pytest.mark.parametrize("fault", [{"top": "9"}, {"link": True}])
def test_archive_with_something_else_in_it_is_refused(isruc, site, client, tmp_path, fault):
    (tmp_path / "x").mkdir()
    site.files["/new/subgroupI/1.rar"] = archive(tmp_path / "x", "1", **fault)
    failed = download(isruc, tmp_path / "out", None, client)
    assert "1.rar does not hold a folder 1 of plain files" in failed["1.rar"]
    assert not (tmp_path / "out" / "1").exists()


@pytest.mark.parametrize("name", ["../evil.rec", "/evil.rec", "1/../../evil.rec", "..\\evil.rec"])
def test_archive_with_a_member_outside_its_folder_is_refused_before_it_is_unpacked(
    isruc, site, client, tmp_path, name, tool
):
    made = tmp_path / "made.tar"
    site.files["/new/subgroupI/1.rar"] = archive(tmp_path, "1")
    with tarfile.open(made, "a") as tar:
        member = tarfile.TarInfo(name)
        member.size = 4
        tar.addfile(member, io.BytesIO(b"evil"))
    site.files["/new/subgroupI/1.rar"] = made.read_bytes()
    tool.write_text(tool.read_text().replace("else:", "else:\n    raise SystemExit('unpacked')"))
    failed = download(replace(isruc, persons=1), tmp_path / "out", None, client)
    assert failed == {"1.rar": f"1.rar holds {name!r}, which would lie outside its folder"}
    assert set(paths(tmp_path / "out")) == {"Details_subgroup_I_Submission.xlsx", "failed.txt", "download.json"}


def test_archive_with_a_file_under_two_names_is_refused(isruc, site, client, tmp_path):
    site.files["/new/subgroupI/1.rar"] = archive(tmp_path, "1")
    with tarfile.open(tmp_path / "made.tar", "a") as tar:
        member = tarfile.TarInfo("1/also.rec")
        member.type, member.linkname = tarfile.LNKTYPE, "1/1.rec"
        tar.addfile(member)
    site.files["/new/subgroupI/1.rar"] = (tmp_path / "made.tar").read_bytes()
    failed = download(isruc, tmp_path / "out", None, client)
    assert "1.rar does not hold a folder 1 of plain files" in failed["1.rar"]


def test_names_in_an_archive_may_be_of_any_bytes(isruc, tool, client, tmp_path):
    tool.write_text(
        tool.read_text().replace("import sys", "import sys; sys.stdout.buffer.write(b'\\xff\\n'); import sys")
    )
    assert download(isruc, tmp_path / "out", None, client) == {}


@pytest.mark.parametrize("name", [".1.unpacking/own", "1.rar", "1.rar.part"])
def test_unpacking_leaves_what_the_user_has_under_names_like_its_own(isruc, client, tmp_path, name):
    own = tmp_path / "out" / name
    own.parent.mkdir(parents=True)
    own.write_bytes(b"own")
    assert download(isruc, tmp_path / "out", None, client) == {}
    assert own.read_bytes() == b"own"
    assert paths(tmp_path / "out") == ISRUC | {name}


@pytest.mark.parametrize("kind", ["file", "link", "empty"])
def test_what_stands_where_an_archive_is_to_be_unpacked_is_left(isruc, site, client, tmp_path, kind):
    own, elsewhere = tmp_path / "out" / "1", tmp_path / "elsewhere"
    own.parent.mkdir()
    elsewhere.mkdir()
    (elsewhere / "own").touch()
    {"file": own.touch, "link": lambda: own.symlink_to(elsewhere), "empty": own.mkdir}[kind]()
    before = own.lstat().st_ino
    failed = download(isruc, tmp_path / "out", None, client)
    assert set(failed) == {"1.rar"}
    assert "is there: nothing is written through or over it" in failed["1.rar"]
    assert own.lstat().st_ino == before
    assert "/new/subgroupI/1.rar" not in site.paths()


def test_what_a_killed_unpacking_left_goes_when_all_is_there(isruc, client, tmp_path):
    folder = OutFolder(tmp_path / "out")
    work = folder.work_folder()
    (work / "unpacked").mkdir()
    (work / "unpacked" / "link").symlink_to(tmp_path)
    folder.close(finished=False)
    assert download(isruc, tmp_path / "out", None, client) == {}
    assert paths(tmp_path / "out") == ISRUC
    assert not work.exists()
    assert (tmp_path / "bin").exists()


def test_without_a_tool_the_message_names_some_before_anything_is_fetched(isruc, site, client, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(CohortError, match="install one of bsdtar, unrar, unar"):
        download(isruc, tmp_path / "out", None, client)
    assert site.asked == []


@pytest.mark.parametrize("name", rar.TOOLS)
def test_tools_are_called_with_archive_and_folder(name):
    tool = rar.TOOLS[name]
    words = [word.format(archive="A.rar", folder="F") for word in tool.unpacks]
    assert words[0] == name
    assert "A.rar" in words
    assert any(word.rstrip("/") == "F" for word in words)
    assert "{archive}" in tool.lists


# --- on request ------------------------------------------------------------------------


@pytest.mark.parametrize("cohort, subset", [("mass-c1", "SS1"), ("mass-c3", "SS3")])
def test_mass_says_what_to_request_where_and_fails(cohort, subset, monkeypatch, capfd, tmp_path):
    monkeypatch.setattr(sys, "argv", ["hypnoflow", "download", cohort, "--out", str(tmp_path / "out")])
    with pytest.raises(SystemExit) as ended:
        main()
    said = capfd.readouterr().err
    assert ended.value.code == 1
    assert f"Request the PSG files of {subset} at https://doi.org/10.5683/SP3/9MYUCS" in said
    assert f"science.cohorts.{cohort}.root" in said
    assert not (tmp_path / "out").exists()
