"""What a network's file declares, read without torch: its options, its recipe, and whether it scores below 30 s.

A configuration is checked by every head, and torch takes seconds to import. So only the parts of the file are run that
need no torch: classes of options, and the plain values that the class bound to MODEL has under these names.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hypnoflow.config.section import Section

NAMES = ("Options", "recipe", "fine", "any_channels", "published", "bases", "source", "licence")


@dataclass(frozen=True, slots=True)
class Declared:
    """What can be known of a network without building it; see `hypnoflow.models.contract`."""

    options: type[Section]
    recipe: Mapping[str, Any] = field(default_factory=dict)
    fine: bool = True
    any_channels: bool = True
    published: Mapping[str, Any] = field(default_factory=dict)
    bases: tuple[str, ...] = ()
    source: str = ""
    licence: str = "MIT"


def declared(path: Path) -> Declared:
    """Return what the network in a file declares.

    Raises
    ------
    ValueError
        If the file binds no class of its own to MODEL, or this has no `Options`.
    """
    tree = ast.parse(path.read_text(encoding="utf-8"))
    classes = {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}
    bound = [node.value for node in tree.body if isinstance(node, ast.Assign) and _names(node) == ["MODEL"]]
    network = classes.get(bound[-1].id) if bound and isinstance(bound[-1], ast.Name) else None
    if network is None:
        raise ValueError(f"{path} binds no class of its own to MODEL")
    own = [node for node in network.body if set(_bound(node)) & set(NAMES)]
    found: dict[str, Any] = {"__name__": path.stem}
    # Annotations are evaluated at once: a library that reads them would look for names in a module that is none.
    exec(compile(ast.Module(_needed(tree, own), []), str(path), "exec", dont_inherit=True), found)
    if "Options" not in found:
        raise ValueError(f"{path}: its network has no Options")
    plain = {name: found[name] for name in NAMES[1:] if name in found}
    return Declared(found["Options"], **plain)


def _needed(tree: ast.Module, wanted: list[ast.stmt]) -> list[ast.stmt]:
    """Return the statements of a module that some others need, in order, and then these."""
    binding = {name: node for node in tree.body for name in _bound(node)}
    needed: list[ast.stmt] = []
    ahead = list(wanted)
    while ahead:
        node = ahead.pop()
        for each in ast.walk(node):
            before = binding.get(each.id) if isinstance(each, ast.Name) else None
            if before is not None and before not in needed and before is not node:
                needed.append(before)
                ahead.append(before)
    return [*(node for node in tree.body if node in needed), *wanted]


def _names(node: ast.stmt) -> list[str]:
    """Return the plain names that a statement assigns to."""
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    return [target.id for target in targets if isinstance(target, ast.Name)]


def _bound(node: ast.stmt) -> list[str]:
    """Return all names that a statement binds."""
    if isinstance(node, ast.Import | ast.ImportFrom):
        return [(alias.asname or alias.name).split(".")[0] for alias in node.names]
    return [node.name] if isinstance(node, ast.ClassDef | ast.FunctionDef) else _names(node)
