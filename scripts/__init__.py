"""The commands behind the Makefile. Run them as modules from the project's root: python -m scripts.package."""
