"""The loop that all trained kinds share."""
