"""Healthy training programs, and faults to plant into them: what the diagnosis and the repair are measured on.

`bases` holds the healthy programs, `catalogue` the faults and which program each can be planted into. autofix is
never told which fault, or whether any, a program has.
"""
