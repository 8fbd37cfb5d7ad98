"""What a stack's file says, checked and worked out: settings, addresses, flows, secrets and grants. Pure.

`validation.load` reads the file, `plan.make_plan` gives every address, `inventory` is what others rely on.
"""
