"""MTalk-Bench for speechzoo: how well a model talks with people over several spoken turns."""
