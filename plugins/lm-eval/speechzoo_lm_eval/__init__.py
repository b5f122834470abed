"""The bridge between speechzoo and lm-evaluation-harness, in both directions.

The public names are in ``__init__.pyi``; each is imported when it is first used, as lm-eval is heavy.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
