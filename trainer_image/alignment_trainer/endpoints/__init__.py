"""Teachers and judges: where keys may be sent, and requests that hold to it; without torch."""
