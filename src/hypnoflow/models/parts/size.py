"""How large the U-Nets of AnySleep's family are; to read it takes no torch."""

from __future__ import annotations

from hypnoflow.config.section import Section, option

PUBLISHED = {"depth": 12, "first_filters": 5, "complexity": 1.67, "attention_hidden": 40}


class UNetSize(Section):
    depth: int = option(10, "Encoder blocks; published 12.", "blocks", ge=1, le=12)
    first_filters: int = option(
        5, "Filters of the first block before the complexity factor; published 5.", "filters", ge=1, le=256
    )
    complexity: float = option(
        0.5, "Complexity factor; its square root multiplies every width; published 1.67.", "1", gt=0, le=100
    )
    attention_hidden: int = option(40, "Hidden units of the channel attention; published 40.", "units", ge=1, le=4096)
