"""``python -m pulp_download`` is ``pulp-download``."""

from pulp_download.cli.main import main

if __name__ == "__main__":
    main()
