"""Plan the quantum-kernel pipeline on this machine and run it: python examples/quantum_kernel.py"""

import hetero as ht
from hetero.graphs import quantum_kernel

with ht.plan(quantum_kernel.build(), *quantum_kernel.sample()) as plan:
    print(plan.explain())
    print(quantum_kernel.show(plan(*quantum_kernel.sample())))
