"""What the pages show, read from where it lies; nothing here knows of pages."""
