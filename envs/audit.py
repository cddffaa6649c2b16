"""Ask for the known vulnerabilities of what the lock files pin: `make audit`, with the path of pip-audit and the files.

It ends with 1 where one is known. Where nobody could be asked it says `not audited` and ends with 0: nothing is known.
pip-audit itself says `No known vulnerabilities found` also when its service knew none of the packages, as behind a
mirror of PyPI that has the files alone; so its answer is read package by package.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys

SERVICES = ("pypi", "osv")  # the first that knows any of the packages is believed
# How pip-audit ends when a service cannot be reached or answers nonsense; all else that fails is an error here.
UNREACHED = re.compile(r"requests\.exceptions\.|ConnectionError|ServiceError|Could not connect|[Tt]imed out")


def main(program: str, files: list[str]) -> int:
    """Print one line, or one for each vulnerability, and return the exit code."""
    reasons = []
    for service in SERVICES:
        answer = answer_of(program, service, files)
        if isinstance(answer, str):
            reasons.append(f"{service}: {answer}")
            continue
        known = [each for each in answer if "skip_reason" not in each]
        if known:
            return told(service, known, unknown=sorted(each["name"] for each in answer if "skip_reason" in each))
        reasons.append(f"{service}: knows none of {len(answer)} packages, {answer[0]['skip_reason'] if answer else ''}")
    print("not audited: " + "; ".join(reasons))
    return 0


def answer_of(program: str, service: str, files: list[str]) -> list[dict] | str:
    """Return what a service says of each package, or in words why it could not be asked."""
    options = ["--require-hashes", "--disable-pip", "--progress-spinner", "off", "--format", "json", "-s", service]
    done = subprocess.run(
        [program, *options, *(word for file in files for word in ("-r", file))], capture_output=True, text=True
    )
    if done.stdout.lstrip().startswith("{"):
        return json.loads(done.stdout)["dependencies"]
    last = done.stderr.strip().splitlines()[-1] if done.stderr.strip() else f"no word, exit code {done.returncode}"
    if not UNREACHED.search(done.stderr):
        sys.exit(f"error: pip-audit failed: {last}")
    return last[:120]


def told(service: str, known: list[dict], unknown: list[str]) -> int:
    """Print what is known, and of which packages nothing is; return the exit code."""
    found = [(each, vulnerability) for each in known for vulnerability in each["vulns"]]
    for each, vulnerability in found:
        fixed = ", ".join(vulnerability["fix_versions"]) or "no version yet"
        print(f"{each['name']} {each['version']}: {vulnerability['id']}, fixed in {fixed}")
    unasked = f"; not audited, as {service} does not know them: {', '.join(unknown)}" if unknown else ""
    count = f"{len(found)} known vulnerabilities" if found else "no known vulnerabilities"
    print(f"{count} in {len(known)} packages ({service}){unasked}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
