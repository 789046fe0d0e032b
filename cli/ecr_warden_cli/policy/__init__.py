"""Reading a policy file as people write it."""
