"""What the plan and apply commands share: looking at registries, showing, the plan's file, and changing."""
