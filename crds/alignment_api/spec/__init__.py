"""What a job says, what its status says, and how its stages depend on each other."""
