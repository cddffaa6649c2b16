"""Cohorts that nobody can fetch by program: what to ask for, and where."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from hypnoflow.download._files import RemoteFile
from hypnoflow.download.client import Client
from hypnoflow.errors import CohortError


@dataclass(frozen=True, slots=True)
class OnRequest:
    """A cohort that is handed out by people; `how` says what to request where."""

    needs_token: ClassVar[bool] = False
    how: str

    def files(self, client: Client) -> list[RemoteFile]:
        """Raise CohortError with what to do."""
        raise CohortError(self.how)
