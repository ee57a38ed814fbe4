"""What is checked before a GPU is used."""
