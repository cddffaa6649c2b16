"""The options of indexing."""

from __future__ import annotations

from hypnoflow.config.section import Section, option


class Index(Section):
    shard_size: int = option(
        100, "Most recordings of a shard, the unit of one job; half as many on average.", "recordings", ge=1
    )
