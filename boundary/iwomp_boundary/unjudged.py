"""What the proof says of a policy that it does not understand: neither yes nor no, and so it fails."""


class Unjudged(ValueError):
    """A policy that cannot be judged; the text says which part of it."""
