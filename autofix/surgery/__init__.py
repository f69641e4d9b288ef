"""Recipes as networks: built, taken over by the user's model, written as code."""
