"""Simulated persons, nights and signals, written as a cohort's own files with the truth beside them."""
