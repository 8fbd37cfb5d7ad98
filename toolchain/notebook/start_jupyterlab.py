"""The script of the job `notebook`: what it does is in the compute image."""

import sys

from benchmark.jobs.notebook.run import main

sys.exit(main())
