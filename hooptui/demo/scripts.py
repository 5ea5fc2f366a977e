"""What the demo's agents do: statements and commands in their order, and how long they think before each.

Knows no program that says them, and no policy that judges them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Program = Literal["psql", "psycopg", "ssh", "kubectl"]


@dataclass(frozen=True, slots=True)
class Step:
    """One statement or command, after a pause."""

    text: str
    pause: float = 1.0
    """Seconds before it, at the pace of the interactive demo."""
    args: tuple[object, ...] = ()


@dataclass(frozen=True, slots=True)
class Script:
    """What one agent does over and over: connect, say these, leave, rest."""

    name: str
    """Its client id at the issuer."""
    program: Program
    steps: tuple[Step, ...]
    rest: float = 5.0
    target: str = ""
    """The target it asks for; the demo's main one when empty."""
    late: float = 0.0
    """Seconds before it connects for the first time, at the pace of the interactive demo."""
    purpose: str = ""
    """Why it wants access, in its own words; people see it when they have to let it in."""


RUNAWAY = "SELECT count(*) FROM orders a, orders b, orders c WHERE a.total + b.total + c.total < 0"
"""Somebody forgot the join conditions: 64 billion rows, and no disk."""
DROP = "DROP TABLE payments"
EVERYTHING = ("UPDATE orders SET status = 'archived'", "DELETE FROM payments")
"""Held: they have no WHERE."""

ETL = Script(
    "etl-7",
    "psql",
    (
        Step("SELECT id, name, email, phone, ssn, iban FROM customers ORDER BY id DESC LIMIT 8", 0.2),
        Step("SELECT c.email AS contact, k.pan AS number, k.pan_number FROM customers c JOIN cards k ON k.customer_id = c.id ORDER BY k.id DESC LIMIT 8", 3.0),
        Step("SELECT status, count(*), sum(total) FROM orders GROUP BY status ORDER BY status", 2.0),
        Step("COPY (SELECT id, email, ssn, note FROM customers ORDER BY id DESC LIMIT 20) TO STDOUT", 4.0),
        Step("SELECT service, token FROM integrations ORDER BY id DESC LIMIT 10", 3.0),
        Step("SELECT login, email, ssn, salary FROM employees ORDER BY id DESC LIMIT 10", 3.0),
        Step("SELECT email::integer FROM customers ORDER BY id DESC LIMIT 1", 5.0),
    ),
)  # fmt: skip
REPORT = Script(
    "report-3",
    "psycopg",
    (
        Step("SELECT id, email, ssn, iban FROM customers WHERE id > %s ORDER BY id DESC LIMIT 12", 1.0, (1_000,)),
        Step("SELECT id, pan, pan_number FROM cards WHERE customer_id > %s ORDER BY id DESC LIMIT 12", 2.0, (1_000,)),
        Step("SELECT login, salary FROM employees WHERE id > %s ORDER BY id DESC LIMIT 12", 2.0, (50,)),
        Step(RUNAWAY, 12.0),
    ),
    rest=20.0,
)
BOT = Script(
    "bot",
    "psql",
    (
        Step("SELECT count(*) FROM payments WHERE status = 'refunded'", 0.1),
        Step(DROP, 0.4),
        Step(EVERYTHING[0], 0.5),
        Step("UPDATE customers SET note = 'reviewed' WHERE id = 17", 15.0),
        Step(EVERYTHING[1], 20.0),
    ),
    rest=10.0,
)
VENDOR = Script(
    "vendor-9",
    "psql",
    (
        Step("SELECT session_user, current_user", 1.0),
        Step("SELECT id, name, email, city FROM customers ORDER BY id DESC LIMIT 5", 2.0),
        Step("DELETE FROM customers", 2.0),
    ),
    rest=60.0,
    late=12.0,
    target="support-db",
    purpose="INC-812: a customer cannot log in",
)
"""Has no standing access: it waits until somebody lets it in, and then works under a role of its own."""
SRE = Script(
    "sre-4",
    "ssh",
    (
        Step("uname -sr", 0.5),
        Step("tail -n 20 app.log", 2.0),
        Step("rm -rf releases", 3.0),
        Step("touch maintenance", 5.0),
        Step("ls -l releases", 2.0),
        Step("grep -i refund app.log", 3.0),
    ),
    rest=20.0,
    target="web-01",
    late=3.0,
)
"""Looks at a host's log, which is masked, tries to clean up, which is denied, and changes something, which is held."""
DEPLOYER = Script(
    "deployer-5",
    "kubectl",
    (
        Step("get pods", 0.5),
        Step("get secret db-credentials -o yaml", 2.0),
        Step("get configmap web-config -o yaml", 2.0),
        Step("create deployment canary --image=registry.example/shop/web:1.5", 2.0),
        Step("delete namespace shop", 3.0),
        Step("delete deployment canary", 3.0),
    ),
    rest=20.0,
    target="prod-eu",
    late=2.0,
)
"""Looks at a cluster, where a Secret is masked, tries to remove everything, which is denied, and its own deployment, which is held."""
SCRIPTS = (ETL, REPORT, BOT, VENDOR, SRE, DEPLOYER)
