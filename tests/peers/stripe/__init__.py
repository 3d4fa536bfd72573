"""A Stripe-speaking server for tests: stateful, a process of its own, loaded from any books folder.

Its objects are built over the shapes that Stripe itself publishes for test servers (`shapes.json`: the resources used
here, taken from openapi/fixtures3.json of Stripe's openapi repository, MIT licence). It is written from Stripe's
documentation and shares no code with `integrations.stripe`, so that the two check each other; the official SDK checks
both.
"""
