"""Vowpal Wabbit behind a pipe, for `ears-lab beside-vw`.

    python vw.py ARGUMENTS...

Reads commands from standard input, each a line `predict N`, `learn N` or `version`, the first two with N lines of Vowpal Wabbit's text format
after it. `predict` answers with one line: for a contextual bandit a number for each action, for a conditional one the slots apart by `;`,
each a list of ACTION:PROBABILITY with the chosen one first.
"""

import os
import sys

import vowpalwabbit

# The library writes to standard output; answers go where it went at the start.
answers = os.fdopen(os.dup(1), "w", buffering=1)
os.dup2(2, 1)


def text(predicted):
    if predicted and isinstance(predicted[0], list):
        return ";".join(" ".join(f"{action}:{chance!r}" for action, chance in slot) for slot in predicted)
    return " ".join(repr(value) for value in predicted)


def main(arguments):
    vw = vowpalwabbit.Workspace(" ".join(["--quiet", *arguments]))
    while line := sys.stdin.readline():
        command, *count = line.split()
        if command == "version":
            print(vowpalwabbit.__version__, file=answers)
            continue
        lines = [sys.stdin.readline().rstrip("\n") for _ in range(int(count[0]))]
        if command == "predict":
            print(text(vw.predict(lines)), file=answers)
        else:
            vw.learn(lines)


main(sys.argv[1:])
