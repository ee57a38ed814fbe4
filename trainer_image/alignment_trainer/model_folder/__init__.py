"""What a model's folder must hold: checked without torch, from headers and JSON files alone."""
