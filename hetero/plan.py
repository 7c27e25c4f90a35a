# MOVED: import from hetero.plans (a module called hetero.plan would shadow the function ht.plan). This file goes away.
from hetero.plans import *  # noqa
from hetero.plans import CONTROL, Choice, Plan  # noqa
