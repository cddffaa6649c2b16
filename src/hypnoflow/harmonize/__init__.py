"""Stage `harmonize`: one recording's native files → one Zarr group of scaled signals, stages and events."""
