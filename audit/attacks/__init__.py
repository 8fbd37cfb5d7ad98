"""Attacks that must not work, tried inside every running container. `attempts` lists and judges them."""
