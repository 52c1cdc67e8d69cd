"""`python -m service` is `darkroom`."""

from service.cli import main

if __name__ == "__main__":
    main()
