"""What the page Compare says: which runs, how they differ, what they reached, and which is the best."""
