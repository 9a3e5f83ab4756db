"""A target that costs next to nothing: what the generator's own ceiling is measured against.

    python -S -m loadlab.null_target --port 8000 --target http://api:8000

The first request of each kind goes on to the real target; all later ones are given that answer again, from memory. So
a locustfile's checks pass as they do on the target, and an answer costs a worker what the target's costs it. Where the
target gives none, one is made up. `GET /metrics` tells how many requests were answered in which way, and what that
took of the CPU.

It has to be faster than the workers: the standard library only, and a process for each two of them.
"""
