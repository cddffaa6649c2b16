"""What several cohorts share: how folders are laid out, tables are joined, recordings become shards."""
