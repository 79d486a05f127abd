#!/bin/sh
# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Prints the Python that the environment in .venv is made with: the first argument, or else the newest one that works.
# A newer minor version than these only comes as plain python3, when nothing we have tried is there. Each candidate is
# run before it is believed: pyenv puts a python3.13 on PATH that fails, and Debian's python3 comes without ensurepip.

set -u
able='import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 10))'
recent='import sys; sys.exit(sys.version_info < (3, 10))'
without_venv=

for candidate in ${1:-python3.13 python3.12 python3.11 python3.10 python3}; do
    if "$candidate" -c "$able" >/dev/null 2>&1; then
        command -v "$candidate"
        exit 0
    fi
    if [ -z "$without_venv" ] && "$candidate" -c "$recent" >/dev/null 2>&1; then
        without_venv=$candidate
    fi
done

if [ -n "$without_venv" ]; then
    echo "$without_venv cannot make virtual environments: install its venv module (Debian, Ubuntu: apt-get install python3-venv), or name another Python with make PYTHON=..." >&2
elif [ -n "${1:-}" ]; then
    echo "$1 is not a Python 3.10 or newer that runs: name another one with make PYTHON=..." >&2
else
    echo "No Python 3.10 or newer on PATH: install one (Debian, Ubuntu: apt-get install python3-venv), or name it with make PYTHON=..." >&2
fi
exit 1
