"""From the labels in a file to standard derivations: by a cohort's rules, or guessed from the names."""
