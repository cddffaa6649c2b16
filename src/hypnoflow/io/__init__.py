"""Reading native files, and the stores, manifests and exports that the stages exchange."""
