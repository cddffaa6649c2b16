"""`--sdm apptainer`: rules run in the container, and who does not ask for it sees nothing of it.

There may be no Apptainer here, so a stand-in takes its place: it notes how it was called and runs the command as it is.
"""

from __future__ import annotations

import os

STAND_IN = """\
#!/usr/bin/env bash
if [ "$1" = --version ]; then echo "apptainer version 1.4.2"; exit; fi
printf '%s\\n' "$@" >> "$(dirname "$0")/called"
exec "${@: -3}"
"""


def test_a_rule_runs_in_the_image_of_the_repository_when_it_is_asked_for(copy_of_finished, tmp_path, monkeypatch):
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "apptainer"
    program.write_text(STAND_IN)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", os.pathsep.join([str(program.parent), os.environ["PATH"]]))
    table = copy_of_finished.results / "split" / "anysleep.parquet"
    before = table.read_bytes()
    # A change of environment alone would rerun everything; here one rule is enough.
    arguments = ["--sdm", "apptainer", "--apptainer-args=--nv", "--rerun-triggers", "mtime", "--force"]
    copy_of_finished.run(*arguments, "results/split/anysleep.parquet")
    called = (program.parent / "called").read_text().splitlines()
    assert called[0] == "exec"
    assert called[called.index("--home") + 1] == str(copy_of_finished.folder)
    assert "--nv" in called
    image = called.index("hypnoflow.sif")
    assert called[image + 1 : image + 3] == ["bash", "-c"]
    assert "hypnoflow split results/index/" in called[image + 3]
    assert table.read_bytes() == before


def test_an_image_that_is_not_asked_for_is_neither_needed_nor_a_reason_to_rerun(finished):
    assert "container:" in (finished.folder / "Snakefile").read_text()
    assert not (finished.folder / "hypnoflow.sif").exists()
    assert finished.planned() == {}
