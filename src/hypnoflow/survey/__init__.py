"""What the harmonized recordings of whole cohorts look like, channel by channel; no stage, only to look at."""

from hypnoflow.survey.cohorts import Survey, survey

__all__ = ["Survey", "survey"]
