"""Property tests of this room have no deadline: on shared cores it would test the neighbours."""

from hypothesis import settings

settings.register_profile("shared cores", deadline=None)
settings.load_profile("shared cores")
