"""An example of a speechzoo plugin by somebody else: one model, one task."""
