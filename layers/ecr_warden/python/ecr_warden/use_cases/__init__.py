"""Decide, then act through ports. Each use case is safe to run again for the same event."""
