"""One file per cohort: how its recordings look on disk, written with libraries and never with our own readers."""

from hypnoflow.registry import Modules
from hypnoflow.simulate.dialects._base import Dialect

dialects: Modules[Dialect] = Modules("simulator dialect", __name__, "DIALECT")
