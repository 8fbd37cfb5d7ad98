"""From a stack's file to a plan: settings, addresses, flows, secrets and grants. Pure.

`validation.load` checks the file, `plan.make_plan` assigns every address, others rely on `inventory`.
"""
