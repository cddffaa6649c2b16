"""What the harmonized recordings of whole cohorts look like, channel by channel; no stage, only to look at."""
