"""Baichuan-Audio for speechzoo."""
