"""What a stage starts from and ends as."""
