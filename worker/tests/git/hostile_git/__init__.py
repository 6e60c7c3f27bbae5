"""A laboratory of hostile Git: hosts that lie, repositories made to hurt, and machines that were tampered with.

Each case is run by the worker, which must hold. Where a naive client is known to come to harm (bites.json), that is
run, too: it shows that the attack is real. HOSTILE_TRY_ALL=1 runs it in every case, and writes that list anew.
"""
