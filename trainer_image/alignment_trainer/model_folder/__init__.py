"""A model's folder, without torch: what it must hold, from headers and JSON files alone, and what a stage writes of it."""
