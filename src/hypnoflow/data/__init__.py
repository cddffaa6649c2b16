"""Splits of persons, and training windows drawn from harmonized stores."""
