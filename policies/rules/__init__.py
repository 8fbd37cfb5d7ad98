"""The rules, by topic. Each module holds rules and nothing else; `policies.catalogue` collects them."""
