"""How fast the parts are beside what they stand on, measured side by side in one run."""
