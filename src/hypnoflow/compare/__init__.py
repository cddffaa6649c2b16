"""Stage `compare`: networks on the same unseen persons."""
