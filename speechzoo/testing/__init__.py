"""The conformance kit: what every model, task, service and plugin must satisfy, as checks with names.

`speechzoo check NAME` runs them, and so does pytest through the fixtures ``model_check``, ``task_check``,
``service_check`` and ``plugin_check``. As in the package itself, each name is imported when it is first used.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
