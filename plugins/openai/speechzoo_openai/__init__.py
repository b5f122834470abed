"""Models and a judge behind OpenAI's protocol, whoever serves them."""
