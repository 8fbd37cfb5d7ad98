"""What all tests share."""

from __future__ import annotations

import os

from hypothesis import settings

# The same examples in every run: a change is judged by what it changes, and not by how busy the machine is.
# `HYPOTHESIS_PROFILE=random` looks for new ones.
settings.register_profile("same", derandomize=True, print_blob=True, deadline=None)
settings.register_profile("random", derandomize=False, max_examples=2000, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "same"))
