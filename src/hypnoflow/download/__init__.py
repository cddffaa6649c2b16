"""Fetching cohorts from where they are published: one file per kind of server, one table of which cohort is where."""
