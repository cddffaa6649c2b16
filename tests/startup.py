"""What the process of one job imports before its first work: read off the verb, so that no list can go stale."""

from __future__ import annotations

import ast
import inspect
import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

from hypnoflow import cli

WITHOUT_TORCH = (
    *("simulate", "index", "harmonize", "split", "agreement", "evaluate", "compare"),
    *("features", "predict", "report"),
)
SRC = Path(cli.__file__).parents[1]


def start_of(verb: str) -> str:
    """Return a program that does what ``hypnoflow VERB`` does up to its first work: the imports, and the parser."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(getattr(cli, verb))))
    imports = [ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
    parser = "import typer; from hypnoflow import cli; typer.main.get_command(cli.app)"
    return "\n".join([parser, *imports])


def run_python(program: str, *arguments: str) -> str:
    """Run a program in a fresh interpreter with this checkout's package; return what it printed."""
    env = {**os.environ, "PYTHONPATH": str(SRC)}
    command = [sys.executable, "-c", program, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, env=env, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout


TELL = "import json, sys; print(json.dumps(sorted({name.split('.')[0] for name in sys.modules})))"


def imported_by(program: str, *arguments: str) -> set[str]:
    """Return the top-level packages that a program has imported when it ends, in a fresh interpreter."""
    told = run_python(f"{program}\n{TELL}", *arguments)
    return set(json.loads(told.splitlines()[-1]))
