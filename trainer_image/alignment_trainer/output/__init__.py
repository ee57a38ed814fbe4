"""What the processes of a stage print, and the log that has a copy of it."""
