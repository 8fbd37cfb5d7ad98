"""What the measurements of the data plane share: throw-away services, clients in a network, records."""
