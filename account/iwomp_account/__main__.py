"""python -m iwomp_account"""

import sys

from iwomp_account.command import main

if __name__ == "__main__":
    sys.exit(main())
