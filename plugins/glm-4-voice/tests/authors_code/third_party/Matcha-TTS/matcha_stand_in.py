"""Found by its name alone."""
