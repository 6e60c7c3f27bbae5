"""The trust boundary, proven: what each principal of an applied pipeline can do, judged over all actions of AWS.

- `snapshot` and `identities` read the policies back from where they are applied, never from Terraform.
- `policy`, `conditions` and `judge` say what policies allow; `catalogue` knows all actions.
- `stated.toml` says what each principal may do, in a reader's words and not in Terraform's; `stated` reads it.
- `proof` compares the two, for all `subjects` in the `world`. `weakened` breaks the policies one by one: all must fail.
- `attempts` and `messages` try, with the CI's key, what must not work.
- `command` and `report` are `make verify-boundary`.
"""
