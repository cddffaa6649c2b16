"""One file per cohort: where its files lie, what its labels mean; facts about all of them in ``cohorts.csv``."""

from hypnoflow.cohorts.layouts.base import Cohort
from hypnoflow.registry import Modules

cohorts: Modules[Cohort] = Modules("cohort", __name__, "COHORT", ("layouts",))
