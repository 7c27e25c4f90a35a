"""The commands of ``hetero``, one a file. Each imports what it needs when it runs: the command line starts fast."""
