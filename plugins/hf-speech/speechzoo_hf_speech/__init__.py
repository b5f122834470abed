"""Adapters for the speech LLMs that transformers brings."""
