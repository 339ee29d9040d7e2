"""Frozen facts: records, the snapshot tree, changes, layout, plans and errors. Knows no library but networkx."""
