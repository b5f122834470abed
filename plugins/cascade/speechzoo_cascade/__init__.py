"""Text LLMs, Whisper, Piper and the cascade made of them."""
