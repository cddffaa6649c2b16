"""Statistics that know nothing of sleep: paired tests, meta-analysis, mixed models, folds, calibration."""
