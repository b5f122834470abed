"""A small speech LLM in EchoX's architecture, trained from what installs with pip: see README.md."""
