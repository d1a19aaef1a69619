"""Every model on every data set at hand: ``python -m benchmarks.boards``."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1]))  # other benchmarks, as for a script beside them
