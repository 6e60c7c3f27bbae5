"""The trust boundary, proven: what each principal of an applied pipeline can do, judged over all actions of AWS.

- `pipeline` finds the things of a pipeline; `snapshot` and `identities` read the policies back from where they apply.
- `policy`, `conditions` and `judge` say what policies allow; `catalogue` knows all actions.
- `stated.toml` says what each principal may do, in a reader's words and not in Terraform's; `stated` reads it.
- `proof` compares the two, for all `subjects` in the `world`; `promise` says what bounds whoever a project can become.
- `attempts` tries, with the CI's key, what must not work; `witness` asks AWS's own judges.
- `command` and `report` are `iwomp verify-boundary`, which changes nothing in an account and deploys nothing anywhere.

It imports nothing of this repository, and no emulator. In tests/ policies are weakened one by one, and all must fail.
"""
