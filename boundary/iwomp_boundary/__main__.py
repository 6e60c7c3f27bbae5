"""python -m iwomp_boundary"""

import sys

from iwomp_boundary.command import main

if __name__ == "__main__":
    sys.exit(main())
