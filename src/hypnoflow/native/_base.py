"""What most formats have in common."""

from __future__ import annotations

from hypnoflow.types import FloatArray, Samples


class ContinuousFile:
    """A recording without gaps, whose signals are read in their unit."""

    @property
    def gaps_s(self) -> list[tuple[float, float]]:
        """No gaps: the format has none."""
        return []

    def read(self, label: str) -> FloatArray:
        """Return a signal, shape (sample,), float32, in its unit."""
        raise NotImplementedError

    def samples(self, label: str) -> Samples:
        """Return a signal with gain 1."""
        return Samples(self.read(label))
