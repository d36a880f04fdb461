"""`python -m recsparse`, the same as the `recsparse` command."""

from recsparse.cli.main import run

if __name__ == "__main__":
    run()
