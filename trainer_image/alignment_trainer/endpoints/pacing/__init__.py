"""How fast a server is asked: at the same time, per minute, and after it has asked to wait."""
