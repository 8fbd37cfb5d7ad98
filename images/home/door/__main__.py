"""home serve | health | findings | tell | take

`serve` is the service. `health` exits with 0 when it answers over TLS. `findings` prints figures of what was
told, for the alerts. `tell` takes a document of a
workstation on standard input, a line of JSON, and says which pages are here; `take` takes one of those pages.
Exit code 1: it failed, and says why.
"""

from __future__ import annotations

import signal
import sys


def main(arguments: list[str]) -> int:
    """Exit code of the command; 2 for one that does not exist."""
    # Imported when it is asked for: the health check runs often, and needs none of the others' libraries.
    if arguments == ["health"]:
        from . import health

        reason = health.fault()
        print(reason or "answers")
        return 1 if reason else 0
    if arguments == ["findings"]:
        from . import findings

        findings.main()
        return 0
    if arguments == ["serve"]:
        from . import server

        server.main()
        return 0
    if arguments in (["tell"], ["take"]):
        from . import pages, settings

        # One that stops in between would hold up all others, and their processes would fill the memory.
        signal.alarm(settings.TELLS)
        try:
            if arguments == ["take"]:
                pages.take(sys.stdin.buffer, settings.stack().name)
            else:
                _told()
        except (ValueError, OSError) as error:
            print(str(error).splitlines()[0], file=sys.stderr)
            return 1
        return 0
    print(__doc__, file=sys.stderr)
    return 2


def _told() -> None:
    """Raises ValueError and OSError."""
    from operations.front import handed
    from operations.front.told import MOST

    from . import pages, told

    told.take(sys.stdin.buffer.readline(MOST + 1))
    print(handed.said(pages.held()))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
