"""S2SBench for speechzoo: does a model still know what follows when the context is heard, not read?"""
