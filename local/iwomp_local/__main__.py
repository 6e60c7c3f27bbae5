"""Entry point: `python -m iwomp_local COMMAND`."""

import sys

from iwomp_local.cli import main

if __name__ == "__main__":
    sys.exit(main())
