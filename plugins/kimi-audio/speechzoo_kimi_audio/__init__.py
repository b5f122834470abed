"""Kimi-Audio for speechzoo."""
