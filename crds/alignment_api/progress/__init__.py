"""How far a stage is: its newest step, and what it has asked and written so far."""
