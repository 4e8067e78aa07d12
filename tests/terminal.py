"""The `simops` command as a process, as a person at a terminal has it."""

import sys

AT_A_TERMINAL = [
    sys.executable,
    "-c",
    # What a shell starts in the background ignores SIGINT, and so do its children; at a terminal Ctrl-C arrives.
    "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); sys.argv[0] = 'simops'; "
    "from simops_cli.app import main; main()",
]
