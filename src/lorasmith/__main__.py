"""`python -m lorasmith` is the command line `lorasmith`."""

from lorasmith.cli.main import main

if __name__ == "__main__":
    main()
