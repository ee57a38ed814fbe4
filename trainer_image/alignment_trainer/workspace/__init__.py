"""What survives a crash on the workspace volume."""
