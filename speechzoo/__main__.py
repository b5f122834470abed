"""``python -m speechzoo`` is ``speechzoo``."""

from speechzoo.cli import main

# A spawned worker imports this module again, under another name.
if __name__ == "__main__":
    main()
