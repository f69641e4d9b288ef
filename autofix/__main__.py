"""`python -m autofix`: the command line."""

import sys

from autofix.cli import main

if __name__ == "__main__":
    sys.exit(main())
