"""The same rules on the plan, on the exported state and on what runs. `agreement` compares them."""
