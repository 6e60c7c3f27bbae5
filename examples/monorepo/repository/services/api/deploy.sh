#!/bin/sh
# Started by iwomp in this folder.
set -eu
exec ../../deploy-stack.sh api
