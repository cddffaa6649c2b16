"""Labels that a file uses more than once."""

from __future__ import annotations

from collections.abc import Container, Sequence


def unused(label: str, taken: Container[str]) -> str:
    """Return the label, with the first free suffix ``#2``, ``#3``, … where it is taken."""
    name, count = label, 1
    while name in taken:
        count += 1
        name = f"{label}#{count}"
    return name


def unique_labels(labels: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the labels, none of them twice, and a warning for each that was changed."""
    found: dict[str, str] = {}
    for label in labels:
        found[unused(label, found)] = label
    return list(found), [renamed(label, name) for name, label in found.items() if name != label]


def renamed(label: str, name: str) -> str:
    """Return the warning that a label is read under another name."""
    return f"label {label!r} occurs more than once; read as {name!r}"
