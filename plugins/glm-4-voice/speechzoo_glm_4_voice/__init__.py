"""GLM-4-Voice for speechzoo."""
