"""A repository's settings: what is there, what the policy wants, and what to change."""
