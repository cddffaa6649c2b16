"""Stage `features`: biomarkers of a recording at every resolution; one function each, listed in a dictionary."""

from hypnoflow.features._dictionary import Hypnogram, features
from hypnoflow.features.classic import classic_statistics
from hypnoflow.features.intrusions import wake_intrusions
from hypnoflow.features.triplets import TRIPLETS, triplet_counts

__all__ = ["TRIPLETS", "Hypnogram", "classic_statistics", "features", "triplet_counts", "wake_intrusions"]
