"""Looking at every repository of registries, and repairing what differs from the policy."""
