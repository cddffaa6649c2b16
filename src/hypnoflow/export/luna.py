"""Luna's ``.annot``: class, instance, channel, start, stop, meta, in seconds from the start of the recording.

Format: https://zzz.bwh.harvard.edu/luna/ref/annotations/.
"""

from __future__ import annotations

from pathlib import Path

from hypnoflow.export.night import INTRUSION, ScoredNight
from hypnoflow.facts.files import replacing
from hypnoflow.types import EPOCH_S

CLASS = INTRUSION.replace("-", "_").replace(" ", "_")


def write_annot(night: ScoredNight, base: Path) -> list[Path]:
    """Write ``{base}.scored.annot``: classes N1 N2 N3 R W and ?, one line per epoch, and the intrusions."""
    rows = [(float(i * EPOCH_S), float((i + 1) * EPOCH_S), name) for i, name in enumerate(night.epochs)]
    rows += [(onset_s, onset_s + duration_s, CLASS) for onset_s, duration_s in night.intrusions]
    lines = ["class\tinstance\tchannel\tstart\tstop\tmeta"]
    lines += [f"{name}\t.\t.\t{begin:.10g}\t{end:.10g}\t." for begin, end, name in sorted(rows)]
    path = base.with_name(f"{base.name}.scored.annot")
    with replacing(path) as partial:
        partial.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return [path]
