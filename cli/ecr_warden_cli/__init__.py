"""The ecr-warden command."""
