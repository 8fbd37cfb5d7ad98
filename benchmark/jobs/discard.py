"""`python -m benchmark.jobs.discard NAME`: delete the checkpoints of a user's job.

Runs as a job on a compute node: only there anything may be deleted from the bucket. Prints `@progress` with
the number of deleted objects, or `@error`. Where it fails, a second run goes on.
"""

from __future__ import annotations

import json
import sys

from benchmark.core.errors import BenchmarkError
from benchmark.core.store import Store, open_store
from benchmark.jobs.environment import CHECKPOINT_BUCKET, checkpoint_prefix


def place(name: str) -> str:
    """Keys of the job's checkpoints begin with it, bucket included."""
    return f"{CHECKPOINT_BUCKET}/{checkpoint_prefix(name)}"


def main(name: str) -> int:
    try:
        deleted = discard(open_store("s3://"), name)
    except BenchmarkError as error:
        print("@error " + json.dumps({"type": type(error).__name__, "message": str(error)}), flush=True)
        return 1
    print("@progress " + json.dumps({"deleted": deleted}), flush=True)
    return 0


def discard(store: Store, name: str) -> int:
    """How many objects were deleted. Raises StoreError."""
    if not name or "/" in name:
        raise ValueError(f"{name!r} is no job's name")
    keys = store.list(place(name))
    for key in keys:
        store.delete(key)
    return len(keys)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
