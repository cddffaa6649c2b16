"""What no linter looks for, in `make check`: one place replaces and deletes, every text has an encoding, and the rooms
are what docs/architecture.md says: private names stay in their folder, nothing grows too long.

Run as `python tests/checks.py`; prints each offence as ``file:line: what``, and exits with 1 if there is one.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

SOURCE = Path(__file__).parents[1] / "src" / "hypnoflow"
# Where files may be removed, renamed or replaced, and why.
MAY_REMOVE = {
    "facts/files.py": "gives files their names",
    "facts/ours.py": "knows what is ours",
    "facts/claim.py": "removes its own journal",
    "store/store_files.py": "renames what it has just made under a name that nobody can foresee",
    "features/rows.py": "renames parts in a temporary folder of its own",
    "head/start.py": "removes locks of Snakemake's that a killed run of ours has left",
    "download/_folder.py": "removes and renames its own parts, by handles of folders and names that nobody can foresee",
    "download/rar.py": "removes the temporary folder that it has made",
    "checkpoints/release.py": "replaces a damaged file in the package's own cache",
}
# Where files may be opened for writing by themselves, and why.
MAY_WRITE = {
    "facts/files.py": "opens exclusively",
    "facts/claim.py": "locks its journal",
    "store/shard.py": "writes an array of a store that is not finished",
    "export/tables.py": "writes what `replacing` yields",
    "store/room.py": "has files without names",
    "head/head.py": "locks, without following links",
    "head/start.py": "appends to the record of runs, without following links",
    "facts/terminal.py": "silences a closed pipe",
    "download/_folder.py": "opens its own parts, exclusively",
    "checkpoints/release.py": "opens its own part, exclusively",
}
STAGES = (
    *("simulate", "index", "harmonize", "split", "train", "score", "subsets"),
    *("agreement", "evaluate", "compare", "features", "predict", "report"),
)
AT_THE_ROOT = {"__init__.py", "types.py", "errors.py", "seeds.py", "registry.py", "cli.py"}
LONGEST_FILE, LONGEST_FUNCTION = 400, 60  # lines
REMOVE = {"unlink", "rmtree", "rmdir", "remove", "removedirs", "rename", "renames", "move", "replace", "symlink_to"}
MODULES = {"os", "shutil"}
TEXT = {"read_text": 0, "write_text": 1}


def offences(path: Path, name: str) -> Iterator[tuple[int, str]]:
    """Yield line and text of each offence in one file; `name` is what the lists above call it."""
    simulated = name.startswith("simulate/dialects/")  # write into a folder that is new
    for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(call, ast.Call):
            continue
        called = _name(call)
        if name not in MAY_REMOVE and called in REMOVE and _is_of_files(call, called):
            yield call.lineno, f"{called}: files are removed and replaced in hypnoflow.facts.ours and .files only"
        mode = _mode(call, called)
        if called in TEXT and not _has_encoding(call, TEXT[called]):
            yield call.lineno, f"{called} without encoding"
        if mode is not None and "b" not in mode and not _has_encoding(call, 9):
            yield call.lineno, "text is opened without encoding"
        if mode is not None and set(mode) & set("wax+") and name not in MAY_WRITE and not simulated:
            yield call.lineno, f"opened for writing ({mode}): use hypnoflow.facts.files.replacing"
        if called in ("write_text", "write_bytes") and not simulated and not _is_partial(call):
            yield call.lineno, f"{called} to what `replacing` has not yielded"


def _name(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def _is_of_files(call: ast.Call, called: str) -> bool:
    """Return whether a call removes or renames files, and not the parts of a text, a list or a table."""
    owner = call.func.value if isinstance(call.func, ast.Attribute) else None
    if isinstance(owner, ast.Name) and owner.id in MODULES:
        return True
    if called in ("replace", "rename", "remove", "move"):
        if called in ("remove", "move") or call.keywords:
            return False
        return (
            len(call.args) == 1
            and not isinstance(call.args[0], ast.Constant | ast.Dict | ast.Name)
            or (called in ("rename", "replace") and len(call.args) == 1 and _looks_like_path(call.args[0]))
        )
    return True


def _looks_like_path(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id in (
        "path",
        "root",
        "out",
        "store",
        "folder",
        "target",
        "name",
        "mine",
    )


def _mode(call: ast.Call, called: str) -> str | None:
    """Return the mode in which a call opens a file; None if it opens none."""
    if called not in ("open", "fdopen"):
        return None
    owner = call.func.value if isinstance(call.func, ast.Attribute) else None
    is_os = isinstance(owner, ast.Name) and owner.id == "os"
    if isinstance(owner, ast.Name) and not is_os and owner.id[0].isupper() or (is_os and called == "open"):
        return None  # a class of ours; a handle, whose flags say it
    first = 1 if owner is None or is_os else 0
    given = list(call.args[first : first + 1]) + [k.value for k in call.keywords if k.arg == "mode"]
    if given and isinstance(given[0], ast.Constant) and isinstance(given[0].value, str):
        return given[0].value if set(given[0].value) <= set("rwaxbt+") else None
    return None if given or is_os or (owner is None and not call.args) else "r"


def _has_encoding(call: ast.Call, position: int) -> bool:
    return any(k.arg == "encoding" for k in call.keywords) or len(call.args) > position


def _is_partial(call: ast.Call) -> bool:
    """Return whether a file is written under the name that `replacing` gave it, which is called so everywhere."""
    owner = call.func.value if isinstance(call.func, ast.Attribute) else None
    return isinstance(owner, ast.Name) and owner.id in ("partial", "path")


def rooms(path: Path, name: str) -> Iterator[tuple[int, str]]:
    """Yield line and text of what a file does against the plan of the house."""
    text = path.read_text(encoding="utf-8")
    *folders, file = name.split("/")
    if text.count("\n") > LONGEST_FILE:
        yield LONGEST_FILE, f"longer than {LONGEST_FILE} lines"
    if file == "run.py" or (file == "job.py" and folders not in ([stage] for stage in STAGES)):
        yield 1, "a stage's door is called job.py, and nothing else is; no file is called run.py"
    if not folders and file not in AT_THE_ROOT:
        yield 1, f"at the root are only {', '.join(sorted(AT_THE_ROOT))}"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef) and (n := (node.end_lineno or 0) - node.lineno + 1) > LONGEST_FUNCTION:
            yield node.lineno, f"{node.name} has {n} lines; at most {LONGEST_FUNCTION}"
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("hypnoflow."):
            for alias in node.names:
                words = [*(node.module or "").split(".")[1:], alias.name]
                private = next((i for i, word in enumerate(words) if word.startswith("_")), None)
                if private is not None and "/".join(_folder_of(words[:private])) != "/".join(folders):
                    yield node.lineno, f"{'.'.join(words)} is private to its folder"


def _folder_of(words: list[str]) -> list[str]:
    """Return the folder that a module or package lies in, by the words before the private one."""
    return words if (SOURCE / "/".join(words)).is_dir() else words[:-1]


def main() -> int:
    """Print all offences of the package, and return the exit code."""
    found = [
        f"{path.relative_to(SOURCE.parents[1])}:{line}: {what}"
        for path in sorted(SOURCE.rglob("*.py"))
        for name in [path.relative_to(SOURCE).as_posix()]
        for line, what in (*offences(path, name), *rooms(path, name))
    ]
    print("\n".join(found) or "one place replaces and deletes; every text has an encoding; the rooms are in order")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
