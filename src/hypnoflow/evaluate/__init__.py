"""Stage `evaluate`: agreement with the labels at 30 s and, for simulated nights, with the hidden fine truth."""
