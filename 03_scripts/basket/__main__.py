"""Run the command as `python -m basket`."""

from basket.command import main

if __name__ == "__main__":
    main()
