"""The part `waivers`. Effects: asks git, reads the policies' settings."""

from __future__ import annotations

import subprocess

from audit.context import Context
from audit.policies.evaluation import judge
from audit.records import Waivers
from audit.verdicts import Part
from audit.waivers import ages
from policies.apply import today
from policies.catalogue import NAMES
from policies.settings import bundle
from policies.settings.waivers import FILE


def check(context: Context) -> Part:
    """The waivers: ages, days left, and whether each is needed on the plan."""
    blame = subprocess.run(
        ["git", "blame", "--line-porcelain", "--", f"policies/{FILE}"],
        cwd=context.root,
        capture_output=True,
        text=True,
        check=False,
    )
    # Waivers of another stack are judged with that stack.
    mine = [w for w in bundle.load(context.stack, NAMES).waivers if w.stack in ("", context.stack)]
    found = ages.aged(mine, ages.dates(blame.stdout), today())
    issues = judge(context, context.plan, "plan").waiver_issues
    return Part(tuple(ages.rows(found, issues)), Waivers(waivers=ages.records(found)))
