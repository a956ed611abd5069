"""Commands behind the Makefile; run them as modules from the project's root: python -m scripts.package."""
