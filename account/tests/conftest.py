"""The local AWS, in the place of an account."""

from local_aws import emulator

__all__ = ["emulator"]
