"""What holds for all tests. A property has as long as its test has: the 200 ms that an example is given by default are gone on a busy machine."""

from hypothesis import settings

settings.register_profile("patient", deadline=None)
settings.load_profile("patient")
