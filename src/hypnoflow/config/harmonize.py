"""The options of harmonizing, and what the checks of its signals flag."""

from __future__ import annotations

from pydantic import field_validator

from hypnoflow.config.section import Range, Section, option, rising
from hypnoflow.types import labels_per_epoch


class Quality(Section):
    flat_share: float = option(
        0.95,
        "A channel, or an epoch of it, that repeats one value for at least this share is flat; chosen.",
        "1",
        gt=0,
        le=1,
    )
    missing_share: float = option(
        0.05, "A channel, or an epoch of it, of which more than this share is NaN is missing; chosen.", "1", ge=0, lt=1
    )
    clipped_share: float = option(
        0.05,
        "An epoch that stays at its channel's extremes for at least this share is clipped; chosen, 1.5 s of 30.",
        "1",
        gt=0,
        le=1,
    )
    mains_share: float = option(
        0.5,
        "An epoch with at least this share of its power above 0.5 Hz at the mains is flagged; chosen, the larger half.",
        "1",
        gt=0,
        le=1,
    )
    eeg_uv: Range = option(
        (0.5, 500.0),
        "Root-mean-square above 0.5 Hz within which an EEG epoch is plausible; chosen wide, N3 reaches about 100.",
        "uV",
    )
    eog_uv: Range = option((0.5, 1000.0), "The same for an EOG epoch; chosen.", "uV")
    emg_uv: Range = option((0.05, 2000.0), "The same for an EMG epoch; chosen, atonia is near the noise.", "uV")
    ecg_uv: Range = option((5.0, 20000.0), "The same for an ECG epoch; chosen.", "uV")
    bad_epoch_share: float = option(
        0.95,
        "A channel is dropped if at least this share of its epochs is flat, clipped, missing, too large or too small; "
        "chosen as flat_share.",
        "1",
        gt=0,
        le=1,
    )
    copy_correlation: float = option(
        0.9999, "Channels correlated at least so much in most epochs are reported as copies; chosen.", "1", gt=0, le=1
    )
    bridge_correlation: float = option(
        0.995,
        "The same for bridged electrodes; at 20 uV it is a difference of 4 uV^2, near EEGLAB's eBridge limit of 5.",
        "1",
        gt=0,
        le=1,
    )
    polarity_correlation: float = option(
        -0.5,
        "EEG against a mastoid correlated at most so much in most epochs is reported as flipped; chosen.",
        "1",
        ge=-1,
        lt=0,
    )

    @field_validator("eeg_uv", "eog_uv", "emg_uv", "ecg_uv")
    @classmethod
    def _ordered(cls, limits: Range) -> Range:
        return rising(limits)


class Harmonize(Section):
    clip_iqr: float = option(
        20.0, "Scaled signals are clipped to plus and minus this many interquartile ranges.", "IQR", gt=0
    )
    label_s: float = option(
        30.0, "Stages are also stored on this grid, for experts' labels finer than 30 s; 30 stores none.", "s", gt=0
    )
    quality: Quality = option(Quality(), "What is flagged in an epoch, and what drops a channel.")

    @field_validator("label_s")
    @classmethod
    def _divides(cls, label_s: float) -> float:
        labels_per_epoch(label_s)
        return label_s
