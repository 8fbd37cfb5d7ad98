"""tracker server | setup | health: see the modules of these names. Exit code 1: it failed, and says why."""

from __future__ import annotations

import subprocess
import sys


def main(arguments: list[str]) -> int:
    """Exit code of the command; 2 for one that does not exist."""
    # Imported when it is asked for: the health check runs often, and needs none of the others' libraries.
    if arguments == ["health"]:
        from . import health

        reason = health.fault()
        print(reason or "login and query answered")
        return 1 if reason else 0
    if arguments not in (["server"], ["setup"]):
        print(__doc__, file=sys.stderr)
        return 2
    from . import server, setup
    from .settings import say

    try:
        (server if arguments == ["server"] else setup).main()
    except (TimeoutError, subprocess.CalledProcessError) as error:
        say(str(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
