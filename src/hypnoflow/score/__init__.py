"""Stage `score`: every resolution and the hypnodensity of a recording from one forward pass."""
