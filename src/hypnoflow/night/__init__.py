"""Words about one night that several stages need: gaps, runs of stages, intrusions, consensus, truth."""
