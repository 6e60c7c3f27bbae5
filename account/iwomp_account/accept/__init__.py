"""`make accept`: deploys a throwaway pipeline into a sandbox account and tries there what the documents promise."""
