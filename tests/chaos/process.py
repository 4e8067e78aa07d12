"""The operator as a process of this machine, with one safeguard switched off if it is named: python -m chaos.process [SAFEGUARD]."""

import sys

from chaos.safeguards import SAFEGUARDS

from simops_operator import __main__ as operator

if __name__ == "__main__":
    operator.LIVE_PORT = 0  # several may run on this machine
    for name in sys.argv[1:]:
        SAFEGUARDS[name]()
    operator.main()
