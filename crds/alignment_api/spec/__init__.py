"""The models of a job and its status, and how its stages depend on each other."""
