"""Files on the workspace volume, written so that they survive a crash."""
