"""The policy pack of the data centre. `PolicyPack` starts a server and never returns: nothing follows it."""

import os
import sys
from pathlib import Path

# The engine starts this file with policies/ as the working directory, outside of any package.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from pulumi_policy import EnforcementLevel, PolicyPack

from policies.catalogue import NAMES, RULES
from policies.crossguard import policies
from policies.settings import bundle
from policies.settings.documents import SettingsError

stack = os.environ.get("PULUMI_STACK", "")
if not stack:
    # Levels depend on it: without a name the stack's own levels would silently be ignored.
    sys.exit("The policies cannot start: the engine has not named the stack (PULUMI_STACK is not set)")
try:
    in_force = policies(RULES, bundle.load(stack, NAMES), stack)
except SettingsError as error:
    sys.exit(str(error))

PolicyPack("aidc", in_force, enforcement_level=EnforcementLevel.MANDATORY)
