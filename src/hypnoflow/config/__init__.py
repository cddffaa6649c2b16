"""The one typed schema of the configuration: one file per section, joined in `schema`."""
