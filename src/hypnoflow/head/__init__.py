"""What surrounds the rules: one head at a time, what a dead one left behind, and whether results are whole.

The Snakefile calls `hypnoflow.head.start.start` in the process that plans, and nowhere else; jobs know nothing of
this. So that everything is mended by starting the same command again, whatever ended the last one.
"""
