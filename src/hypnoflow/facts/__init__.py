"""What is known of files: where they lie, what made them, whose they are, and how they are written whole."""
