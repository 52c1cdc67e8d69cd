"""A Flux upstream that behaves, and on request misbehaves, like the real one.

It is the judge in tests of what was paid, so it imports nothing of the rest of `service`.
"""
