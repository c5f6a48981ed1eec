"""Values of a few lines each, and what everybody asks of the world."""
