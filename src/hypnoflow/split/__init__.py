"""Stage `split`: persons into train, valid, test and held-out."""
