"""Readers of other people's files, one module a format."""
