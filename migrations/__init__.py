"""The database's history, one file per step. Imports the tables only to compare them with what the steps built."""
