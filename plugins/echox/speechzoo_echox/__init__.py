"""EchoX (arXiv:2509.09174): Whisper, a Llama that hears, an echo decoder and a unit vocoder."""
