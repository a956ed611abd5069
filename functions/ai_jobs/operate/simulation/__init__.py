"""A model of the system in SimPy: how long jobs wait, what limits them, and what they cost, before it is deployed."""
