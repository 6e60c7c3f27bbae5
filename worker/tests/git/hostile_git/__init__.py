"""A laboratory of hostile Git: hosts that lie, repositories made to hurt, and machines that were tampered with.

Each case is run twice: by the worker, which must hold, and by a naive client, which shows whether the attack is real.
"""
