"""The policy pack of the data centre. `PolicyPack` starts a server and never returns: nothing follows it."""

import os
import sys
from pathlib import Path

# The engine starts this file with policies/ as the working directory, outside of any package.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from pulumi_policy import EnforcementLevel, PolicyPack

from policies import levels, waivers
from policies.catalogue import NAMES, RULES
from policies.crossguard import policies
from policies.documents import SettingsError

try:
    in_force = policies(RULES, waivers.load(NAMES), levels.load(os.environ.get("PULUMI_STACK", ""), NAMES))
except SettingsError as error:
    sys.exit(f"The policies cannot start:\n{error}")

PolicyPack("aidc", in_force, enforcement_level=EnforcementLevel.MANDATORY)
