"""One agent's psycopg, as a program of its own: statements come as JSON lines on standard input, answers go to standard output.

`{"sql": …, "args": […], "then": marker}`. Prepared statements and binary results, which psql does not use. After each answer, be it
an error, the marker stands on a line of its own. The connection is described by libpq's environment variables.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable

import psycopg


def main(lines: Iterable[str]) -> int:
    """Exit status: 0 when the input ended, 3 when the connection was lost or never came up."""
    try:
        connection = psycopg.connect(autocommit=True)
    except psycopg.Error as fault:
        print(fault)  # noqa: T201 - the program's output
        return 3
    with connection:
        for line in lines:
            job = json.loads(line)
            try:
                cursor = connection.execute(job["sql"], job["args"] or None, prepare=True, binary=True)
                for row in cursor if cursor.description else ():
                    print(*row, sep=" | ")  # noqa: T201 - as above
                print(cursor.statusmessage)  # noqa: T201 - as above
            except psycopg.Error as fault:
                print(fault.diag.severity, fault.sqlstate, fault, fault.diag.message_detail, fault.diag.message_hint)  # noqa: T201 - as above
            if connection.closed:
                return 3
            print(job["then"], flush=True)  # noqa: T201 - as above
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.stdin))
