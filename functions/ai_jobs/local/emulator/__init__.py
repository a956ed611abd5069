"""MiniStack with what it lacks for roots that are written for AWS: the process that is the local AWS.

It is MiniStack's own program (`__main__`), with some of its functions replaced. The version is pinned (the extra
`local` in pyproject.toml), because this relies on the names of these functions. All of it is MiniStack's to have, and
goes away with the version that has it.
"""
