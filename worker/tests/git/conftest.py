"""The local AWS, of which the worker reads its register."""

from local_aws import emulator

__all__ = ["emulator"]
