"""Stage `train`: one network, one seed → one checkpoint."""
