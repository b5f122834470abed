"""Spoken question answering for speechzoo: the same questions read and heard, answered in text and speech."""
