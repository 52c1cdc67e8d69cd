"""Python runs this before anything else in a process that has this folder on its PYTHONPATH."""

import sys
from pathlib import Path

# at the end, so that no folder of tests hides a package; and only for this import
sys.path.append(str(Path(__file__).parents[2]))

from egress import audit
from secrecy import witness

sys.path.pop()
audit.install()
witness.install()
