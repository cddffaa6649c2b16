"""Stage `subsets`: unseen nights scored again from some of their channels."""
