"""Stage `agreement`: each night opened once, its scores beside its labels, arousals and, if simulated, the truth."""
