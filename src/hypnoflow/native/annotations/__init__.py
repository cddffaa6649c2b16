"""One file per dialect of annotations: each returns runs of the file's own stage labels, and events."""
