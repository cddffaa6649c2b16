"""Stage `index`: what recordings a cohort's folder holds."""
