"""What a forked child must not share with its parent: connections, threads, and locks."""

from __future__ import annotations

import os
import weakref
from typing import Protocol


class Holder(Protocol):
    """Something that has connections, threads, or locks."""

    def start_afresh(self) -> None:
        """Create new ones. In a child, this leaves the parent's alone: it must not close them or wait for them."""


# By id, because a holder does not have to be hashable.
_holders: weakref.WeakValueDictionary[int, Holder] = weakref.WeakValueDictionary()


def start(holder: Holder) -> None:
    """Start a holder, and start it afresh in each child that this process forks (gunicorn with `--preload` does).

    Two processes that read one connection get each other's responses, the parent's threads do not exist in the child,
    and a lock that one of them held at the moment of the fork is never released there.
    """
    holder.start_afresh()
    _holders[id(holder)] = holder


def _start_all_afresh() -> None:
    for holder in list(_holders.values()):
        holder.start_afresh()


if hasattr(os, "register_at_fork"):  # not on Windows, which has no fork
    os.register_at_fork(after_in_child=_start_all_afresh)
