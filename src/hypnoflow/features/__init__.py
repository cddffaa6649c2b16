"""Stage `features`: biomarkers of a recording at every resolution; one function each, listed in a dictionary."""

from hypnoflow.features import bouts, density, intrusions, microsleep, stability, transitions  # noqa: F401 (registers)
from hypnoflow.features._dictionary import dictionary, features
from hypnoflow.features.classic import classic_statistics
from hypnoflow.features.scales import slopes
from hypnoflow.features.triplets import TRIPLETS, triplet_counts, triplet_rates
from hypnoflow.night.hypnogram import Hypnogram, sleep_period
from hypnoflow.night.intrusions import wake_intrusions

__all__ = [
    "TRIPLETS",
    "Hypnogram",
    "classic_statistics",
    "dictionary",
    "features",
    "sleep_period",
    "slopes",
    "triplet_counts",
    "triplet_rates",
    "wake_intrusions",
]
