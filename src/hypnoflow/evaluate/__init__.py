"""Stage `evaluate`: agreement with the labels at 30 s, with arousals and, if simulated, with the hidden fine truth."""

from hypnoflow.evaluate.events import match_events, published_match_events

__all__ = ["match_events", "published_match_events"]
