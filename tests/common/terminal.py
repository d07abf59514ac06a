#!/usr/bin/env python3
"""Runs a command on a terminal of its own, and tells what is on its screen.

    terminal.py WIDTHxHEIGHT STEP... -- COMMAND...

The steps: wait:TEXT waits until the screen has the text; gone:TEXT until it has it no more; key:KEYS presses them;
size:WIDTHxHEIGHT makes the terminal another size; show prints the screen; signal:NUMBER sends a signal; end waits until
the command has ended. Then it prints the exit code, and whether the terminal is as it was.
"""

import codecs
import fcntl
import os
import pty
import re
import select
import signal
import struct
import sys
import termios
import time

LIMIT = 20
TOKEN = re.compile(r"\x1b\[([?0-9;]*)([A-Za-z])|\x1b([78=>])|([\r\n])|([^\x1b\r\n]+)|\x1b")
KEYS = {"TAB": b"\t", "DOWN": b"\x1b[B", "ESC": b"\x1b"}


class Screen:
    """What the escape sequences have made of it."""

    def __init__(self, width, height):
        self.is_other, self.has_cursor = False, True
        self.resize(width, height)

    def resize(self, width, height):
        self.width, self.height, self.row, self.column = width, height, 0, 0
        self.cells = [[" "] * width for _ in range(height)]

    def feed(self, text):
        for match in TOKEN.finditer(text):
            numbers, command, _, control, plain = match.groups()
            if command:
                self.obey(numbers, command)
            elif control == "\r":
                self.column = 0
            elif control == "\n":
                self.row = min(self.row + 1, self.height - 1)
            elif plain:
                for char in plain:
                    if self.column < self.width and self.row < self.height:
                        self.cells[self.row][self.column] = char
                    self.column += 1

    def obey(self, numbers, command):
        if command == "H":
            row, column = (numbers.split(";") + [""])[:2]
            self.row, self.column = int(row or 1) - 1, int(column or 1) - 1
        elif command == "J":
            self.cells = [[" "] * self.width for _ in range(self.height)]
        elif command == "K" and self.row < self.height:
            for column in range(self.column, self.width):
                self.cells[self.row][column] = " "
        elif numbers == "?1049":
            self.is_other = command == "h"
        elif numbers == "?25":
            self.has_cursor = command == "h"

    def text(self):
        return "\n".join("".join(row).rstrip() for row in self.cells)


def set_size(terminal, width, height):
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))


def size(text):
    return tuple(map(int, text.split("x")))


def main(arguments):
    split = arguments.index("--")
    width, height = size(arguments[0])
    steps, command = arguments[1:split], arguments[split + 1:]
    ours, theirs = pty.openpty()
    set_size(ours, width, height)
    before = termios.tcgetattr(theirs)
    child = os.fork()
    if child == 0:
        os.setsid()
        fcntl.ioctl(theirs, termios.TIOCSCTTY, 0)
        for descriptor in range(3):
            os.dup2(theirs, descriptor)
        os.environ["TERM"] = "xterm"
        os.execvp(command[0], command)
    screen, decoder, raw = Screen(width, height), codecs.getincrementaldecoder("utf-8")("replace"), [""]

    def read(seconds):
        if select.select([ours], [], [], seconds)[0]:
            text = decoder.decode(os.read(ours, 65536))
            raw[0] += text
            screen.feed(text)

    def until(is_so, what):
        end = time.monotonic() + LIMIT
        while not is_so():
            if time.monotonic() > end:
                os.kill(child, signal.SIGKILL)
                sys.exit(f"{what}: not so after {LIMIT} s:\n{screen.text()}")
            read(0.05)

    ended = []

    def has_ended():
        if not ended:
            pid, status = os.waitpid(child, os.WNOHANG)
            if pid:
                ended.append(os.waitstatus_to_exitcode(status))
        return bool(ended)

    for step in steps:
        name, _, value = step.partition(":")
        if name == "wait":
            until(lambda: value in screen.text(), step)
        elif name == "gone":
            until(lambda: value not in screen.text(), step)
        elif name == "key":
            os.write(ours, KEYS.get(value, value.encode()))
        elif name == "size":
            screen.resize(*size(value))
            set_size(ours, *size(value))
            os.kill(child, signal.SIGWINCH)
        elif name == "signal":
            os.kill(child, int(value))
        elif name == "show":
            print(screen.text(), "-" * 8, sep="\n")
        elif name == "end":
            until(has_ended, step)
            read(0.2)
        else:
            sys.exit(f"no such step: {step}")
    is_same = termios.tcgetattr(theirs) == before
    print("exit", ended, "as before" if is_same and screen.has_cursor and not screen.is_other else "NOT AS BEFORE")


main(sys.argv[1:])
