"""Tables of things by name: one to a module (cohorts, models, dialects) or one to a function (features, figures)."""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Generic, TypeVar, cast

from hypnoflow.errors import ConfigError, did_you_mean

T = TypeVar("T")


class Modules(Generic[T]):
    """Things that live one to a file: the file ``sedf_sc.py`` holds the thing called ``sedf-sc``.

    Names are read off the folder, so that a config can be checked without importing (torch, say). Files that
    begin with an underscore are helpers.

    Parameters
    ----------
    what : str
        Singular noun for messages, e.g. "cohort".
    package : str
        Dotted name of the package.
    attribute : str
        Name that each module binds its thing to, e.g. "COHORT".
    helpers : tuple of str
        Modules and packages in the folder that hold no such thing.
    """

    def __init__(self, what: str, package: str, attribute: str, helpers: tuple[str, ...] = ()):
        self.what, self._package, self._attribute, self._helpers = what, package, attribute, helpers

    def names(self) -> list[str]:
        """Return all names, sorted, without importing any of them."""
        spec = importlib.util.find_spec(self._package)
        folder = Path(cast(str, cast(importlib.machinery.ModuleSpec, spec).origin)).parent
        modules = (m.name for m in pkgutil.iter_modules([str(folder)]))
        return sorted(
            name.replace("_", "-") for name in modules if not name.startswith("_") and name not in self._helpers
        )

    def check(self, name: str) -> None:
        """Raise ConfigError, listing what is known and the closest match, unless `name` is known."""
        known = self.names()
        if name not in known:
            raise ConfigError(f"unknown {self.what} {name!r}{did_you_mean(name, known)} (known: {', '.join(known)})")

    def get(self, name: str) -> T:
        """Import and return the thing called `name`; ConfigError if there is none."""
        self.check(name)
        module = importlib.import_module(f"{self._package}.{name.replace('-', '_')}")
        return cast(T, getattr(module, self._attribute))


class Functions(Generic[T]):
    """Things registered by decorator, in the order of registration."""

    def __init__(self, what: str):
        self.what = what
        self._things: dict[str, T] = {}

    def register(self, name: str) -> Callable[[T], T]:
        """Return a decorator that registers what it decorates under a new name."""

        def add(thing: T) -> T:
            if name in self._things:
                raise ValueError(f"{self.what} {name!r} is registered twice")
            self._things[name] = thing
            return thing

        return add

    def names(self) -> list[str]:
        """Return all names in order of registration."""
        return list(self._things)

    def get(self, name: str) -> T:
        """Return the thing called `name`; ConfigError, with the closest match, if there is none."""
        if name not in self._things:
            known = self.names()
            raise ConfigError(f"unknown {self.what} {name!r}{did_you_mean(name, known)} (known: {', '.join(known)})")
        return self._things[name]

    def __iter__(self) -> Iterator[tuple[str, T]]:
        return iter(self._things.items())
