"""Stage `evaluate`: the tables of `agreement` in sum, by split and cohort, with intervals; networks in pairs."""

from hypnoflow.agreement.events import match_events, published_match_events

__all__ = ["match_events", "published_match_events"]
