"""A stand-in Slack: a workspace in memory that the stock Slack clients cannot tell from the platform.

It knows nothing of the product, and the product never imports it.
"""
