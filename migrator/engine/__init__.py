"""The circle: decide, perform, record, advance, until every image is finished; no policy of its own."""

from migrator.engine.engine import Engine
from migrator.workflow.verdict import Ending, StopReason

__all__ = ["Ending", "Engine", "StopReason"]
