# MOVED: import from hetero.tracing (a module called hetero.pipeline would shadow ht.pipeline). This file goes away.
from hetero.tracing import *  # noqa
