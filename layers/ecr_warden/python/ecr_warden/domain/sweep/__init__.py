"""What a sweep over registries finds: values and pure decisions."""
