"""Starting processes, watching them, and learning how they ended."""
