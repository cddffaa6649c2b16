"""Write beside every pin of the lock files the SHA-256 of every file that the index has of that version: `make lock`.

It changes no version. It needs Python alone and installs nothing, so that it also works on a lock that is not whole.
"""

from __future__ import annotations

import json
import os
import re
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import unquote
from urllib.request import Request, urlopen

INDEX = os.environ.get("PIP_INDEX_URL", "https://pypi.org/simple").rstrip("/")
# Pages of builds that are not on PyPI: of versions such as `2.13.0+cpu`.
OTHER_BUILDS = {"torch": "https://download.pytorch.org/whl/cpu/torch/"}
ENTRY = re.compile(
    r"^(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)==(?P<version>[^\s;\\]+)(?P<marker> ; [^\\\n]*[^\\\s])?"
    r"(?P<hashes>(?: \\\n +--hash=sha256:[0-9a-f]{64})*)$",
    re.MULTILINE,
)
HASH = re.compile(r"sha256[:=]([0-9a-f]{64})")


def main(paths: list[Path]) -> None:
    """Rewrite the files, all or none: the index is asked first."""
    texts = {path: path.read_text(encoding="utf-8") for path in paths}
    for path, text in texts.items():
        refuse_other_lines(path, text)
    pins = {(normal(pin["name"]), pin["version"]) for text in texts.values() for pin in ENTRY.finditer(text)}
    with ThreadPoolExecutor(8) as pool:
        found = dict(zip(pins, pool.map(lambda pin: files_of(*pin), pins), strict=True))
    new = {
        path: ENTRY.sub(lambda pin: written(pin, found[normal(pin["name"]), pin["version"]]), text)
        for path, text in texts.items()
    }
    for path, text in new.items():
        path.write_text(text, encoding="utf-8")
        print(f"{path}: {len(ENTRY.findall(text))} packages, {len(HASH.findall(text))} files")


def refuse_other_lines(path: Path, text: str) -> None:
    """Stop at a line that would be installed, but is no exact pin."""
    for line in ENTRY.sub("", text).splitlines():
        if line and not line.startswith(("#", "-c ")):
            sys.exit(f"{path}: not `name==version`, nor that with ` ; marker`: {line}")


def written(pin: re.Match[str], digests: set[str] | None) -> str:
    """Return a pin with its hashes; those that it has, if the others are not known."""
    if digests is None:
        return pin[0]
    lines = [f"{pin['name']}=={pin['version']}{pin['marker'] or ''}"]
    return " \\\n".join(lines + [f"    --hash=sha256:{each}" for each in sorted(digests)])


def files_of(name: str, version: str) -> set[str] | None:
    """Return the SHA-256 of all files of a version; None if they are not on PyPI, and where they are is not reached."""
    if "+" in version and name not in OTHER_BUILDS:
        sys.exit(f"{name}=={version} is on no index: envs/lock.py would have to name its page; nothing was written")
    page = other_builds(OTHER_BUILDS[name]) if "+" in version else page_of(name)
    if page is None:
        print(f"{OTHER_BUILDS[name]} not reached: the hashes of {name}=={version} stay as they are")
        return None
    found = {digest for file, digest in page.items() if version_of(file) == version}
    if not found:
        sys.exit(f"the index has no file of {name}=={version}; nothing was written")
    return found


def version_of(file: str) -> str | None:
    """Return the version that a file's name states; None if it is neither a wheel nor a source."""
    if file.endswith(".whl"):
        return file.split("-")[1]
    source = re.fullmatch(r".+?-(\d[^-]*)\.(?:tar\.gz|tar\.bz2|zip)", file)
    return source[1] if source else None


def page_of(name: str) -> dict[str, str]:
    """Return {file: SHA-256} of what the index lists of a package (PEP 691)."""
    asked = Request(f"{INDEX}/{name}/", headers={"Accept": "application/vnd.pypi.simple.v1+json"})
    with urlopen(asked, timeout=60) as answer:
        return {each["filename"]: each["hashes"]["sha256"] for each in json.load(answer)["files"]}


def other_builds(url: str) -> dict[str, str] | None:
    """Return {file: SHA-256} of an HTML page (PEP 503), or None where it cannot be reached."""
    try:
        with urlopen(url, timeout=60) as answer:
            text = answer.read().decode("utf-8")
    except OSError:
        return None
    return {unquote(file): digest for file, digest in re.findall(r"([^/\"]+)#sha256=([0-9a-f]{64})", text)}


def normal(name: str) -> str:
    """Return a name as PEP 503 compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


if __name__ == "__main__":
    main([Path(each) for each in sys.argv[1:]])
