"""The trust boundary, proven: what each principal of an applied pipeline can do, judged over all actions of AWS.

- `snapshot` reads the policies back from where they were applied; `policy`, `conditions`, `judge` say what they allow.
- `stated.toml` says what each principal may do, in a reader's words and not in Terraform's; `stated` reads it.
- `proof` compares the two; `weakened` breaks the policies one by one, and each must then fail.
- `attempts` tries, with the CI's credentials, what must not work. `report` and `command` are `make verify-boundary`.
"""
