"""`python -m attnfocus` is the command `attnfocus`."""

import sys

from attnfocus.cli import main

sys.exit(main())
