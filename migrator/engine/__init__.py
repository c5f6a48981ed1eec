"""The circle: decide, perform, record, advance, until every image is finished; no policy of its own."""

from migrator.core.verdict import Ending, Stop
from migrator.engine.run import Engine

__all__ = ["Ending", "Engine", "Stop"]
