"""``python -m hetero``: the same as the command ``hetero``."""

from hetero.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
