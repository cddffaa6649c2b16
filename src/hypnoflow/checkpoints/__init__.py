"""Trained networks as files: ours, the published ones, and where those are downloaded from."""
