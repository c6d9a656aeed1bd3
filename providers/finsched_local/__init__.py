"""The local cloud: instances are process trees on this machine."""
