"""The direct path: a person's files → scored nights in the formats of other programs, without a workflow."""
