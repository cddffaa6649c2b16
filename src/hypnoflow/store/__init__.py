"""Our own files: harmonized recordings and scores in Zarr, manifests in Parquet."""
