"""Arenas of spoken dialogues for speechzoo: ratings from battles, and how far their judges can be trusted."""
