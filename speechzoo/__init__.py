"""speechzoo measures what a language model loses when it listens and speaks.

Everything public is a name of this package. The list is in ``__init__.pyi``; each name is imported
when it is first used, so that ``import speechzoo`` costs nothing and a plugin module stays light.
"""

import lazy_loader

__version__ = "0.1.0"

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
