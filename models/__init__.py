"""The domain of Cadence: terms, rules, facts. Imports nothing of ours outside `models/`."""
