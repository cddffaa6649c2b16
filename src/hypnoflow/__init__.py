"""hypnoflow: polysomnography from many cohorts, scored at any resolution and compared fairly with 30 s."""

from importlib.metadata import version

__version__ = version("hypnoflow")
