"""Asks a server in a closed loop that is in the kernel, for xdp.rs: frames leave as a driver has them, without a socket.

    DEVICE ADDRESS PORT SERVER-HARDWARE SERVER SERVER-PORT WINDOW LENGTH QUERIES

QUERIES is a file of as many messages of LENGTH bytes as a power of two. As root, in the namespace of DEVICE. For each line
with a number, asks that many, over and over, and prints how many were answered, how many of the answers have records, how
many were lost, and the seconds.

One program writes the next frame while fewer than WINDOW are under way, and sends it by the device; the kernel runs it
over and over (BPF_PROG_TEST_RUN with live frames). Another one in the driver of the device counts the answers, and takes
them off. Both are written as instructions for little-endian machines (RFC 9669), and share an array of counters.
"""

import ctypes
import mmap
import os
import socket
import struct
import sys
import time

MAP_CREATE, PROGRAM_LOAD, TEST_RUN, LINK_CREATE = 0, 5, 10, 28
BPF = {"x86_64": 321, "aarch64": 280}[os.uname().machine]
LIBC = ctypes.CDLL(None, use_errno=True)

# The space of a frame in the array, and where each counter is: two processors do not write to one cache line.
SPACE = 128
SENT, ANSWERED, LISTED = 0, 64, 128

# Ports of clients.
PORTS = 64
# Attempts to send between two looks at the clock. Starting over takes the kernel tens of milliseconds (it waits for a grace
# period of RCU), in which the server has nothing to do: a call must last long beside that.
BURST = 200_000
# A query without an answer for so many seconds is lost.
PATIENCE = 1

DROP, PASS = 1, 2
ADJUST_TAIL, REDIRECT = 65, 23
# Codes of loads and stores by size, and of the others.
LOAD = {8: 0x79, 4: 0x61, 2: 0x69, 1: 0x71}
STORE = {8: 0x7B, 4: 0x63, 2: 0x6B, 1: 0x73}
MOVE, MOVE_CONSTANT, ADD, ADD_CONSTANT, SUBTRACT, AND_CONSTANT, SHIFT_LEFT = 0xBF, 0xB7, 0x0F, 0x07, 0x1F, 0x57, 0x67
IF_AT_MOST, IF_EQUAL, IF_LESS, CALL, EXIT = 0xBD, 0x15, 0xA5, 0x85, 0x95


def bpf(command, attributes):
    result = LIBC.syscall(BPF, command, ctypes.create_string_buffer(attributes, len(attributes)), len(attributes))
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def array(size):
    """An array of bytes that programs and this one share."""
    descriptor = bpf(MAP_CREATE, struct.pack("=5I", 2, 4, size, 1, 1 << 10))
    return descriptor, mmap.mmap(descriptor, size)


def load(code):
    text = b"".join(code)
    instructions = ctypes.create_string_buffer(text, len(text))
    licence = ctypes.create_string_buffer(b"Dual MIT/GPL")
    pointers = ctypes.addressof(instructions), ctypes.addressof(licence)
    return bpf(PROGRAM_LOAD, struct.pack("=2I2Q2IQ2I16s", 6, len(text) // 8, *pointers, 0, 0, 0, 0, 0, b"bench"))


def op(code, to=0, source=0, offset=0, value=0):
    return struct.pack("=BBhi", code, source << 4 | to, offset, value)


def leave(result):
    return [op(MOVE_CONSTANT, 0, value=result), op(EXIT)]


def address(to, descriptor):
    return [op(0x18, to, 2, 0, descriptor), op(0)]


def count(at):
    """Adds one to a counter of the array that register 5 leads to."""
    return [op(LOAD[8], 4, 5, at), op(ADD_CONSTANT, 4, value=1), op(STORE[8], 5, 4, at)]


def first_bytes(context, length, otherwise):
    """Has register 2 lead to the frame that register `context` is about; leaves if it is shorter."""
    return [
        op(LOAD[4], 2, context, 0),
        op(LOAD[4], 3, context, 4),
        op(MOVE, 4, 2),
        op(ADD_CONSTANT, 4, value=length),
        op(IF_AT_MOST, 4, 3, 2),
        *leave(otherwise),
    ]


def sender(counters, frames, number, length, window, device):
    """While fewer than `window` are under way: the next frame, to the device."""
    copy, at = [], 0
    while at < length:
        size = max(size for size in LOAD if size <= length - at)
        copy += [op(LOAD[size], 5, 4, at), op(STORE[size], 2, 5, at)]
        at += size
    return [
        op(MOVE, 6, 1),
        *address(7, counters),
        op(LOAD[8], 8, 7, SENT),
        op(LOAD[8], 2, 7, ANSWERED),
        op(MOVE, 3, 8),
        op(SUBTRACT, 3, 2),
        op(IF_LESS, 3, offset=2, value=window),
        *leave(DROP),
        # A frame comes back as the server has left it.
        op(LOAD[4], 2, 6, 4),
        op(LOAD[4], 3, 6, 0),
        op(SUBTRACT, 3, 2),
        op(ADD_CONSTANT, 3, value=length),
        op(MOVE, 2, 3),
        op(MOVE, 1, 6),
        op(CALL, value=ADJUST_TAIL),
        *first_bytes(6, length, DROP),
        op(MOVE, 9, 8),
        op(AND_CONSTANT, 9, value=number - 1),
        op(SHIFT_LEFT, 9, value=SPACE.bit_length() - 1),
        *address(4, frames),
        op(ADD, 4, 9),
        *copy,
        op(ADD_CONSTANT, 8, value=1),
        op(STORE[8], 7, 8, SENT),
        op(MOVE_CONSTANT, 1, value=device),
        op(MOVE_CONSTANT, 2),
        op(CALL, value=REDIRECT),
        op(EXIT),
    ]


def receiver(counters, port):
    """Takes off answers over IPv4 from the server's port, and counts them, and those with records."""
    code = first_bytes(1, 54, PASS)
    for size, at, value in ((2, 12, socket.htons(0x0800)), (1, 23, 17), (2, 34, socket.htons(port))):
        code += [op(LOAD[size], 4, 2, at), op(IF_EQUAL, 4, offset=2, value=value), *leave(PASS)]
    code += [*address(5, counters), *count(ANSWERED)]
    # The lower byte of the number of records in the answer.
    code += [op(LOAD[1], 4, 2, 49), op(IF_EQUAL, 4, offset=3, value=0), *count(LISTED)]
    return [*code, *leave(DROP)]


def checksum(header):
    total = sum(struct.unpack("!10H", header))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return struct.pack("!H", ~total & 0xFFFF)


def frame(hardware, addresses, ports, message):
    length = 28 + len(message)
    header = struct.pack("!BBHHHBBH4s4s", 0x45, 0, length, 0, 0x4000, 64, 17, 0, *addresses)
    header = header[:10] + checksum(header) + header[12:]
    return b"".join(hardware) + b"\x08\x00" + header + struct.pack("!4H", *ports, length - 20, 0) + message


class Clients:
    def __init__(self, device, own, port, hardware, server, server_port, window, length, file):
        with open(f"/sys/class/net/{device}/address", encoding="ascii") as text:
            source = text.read()
        hardware = [bytes.fromhex(it.strip().replace(":", "")) for it in (hardware, source)]
        addresses = [socket.inet_aton(it) for it in (own, server)]
        with open(file, "rb") as text:
            messages = text.read()
        length, port, server_port, index = int(length), int(port), int(server_port), socket.if_nametoindex(device)
        number = len(messages) // length
        counters, self.counters = array(256)
        frames, space = array(number * SPACE)
        for at in range(number):
            message = messages[at * length:(at + 1) * length]
            made = frame(hardware, addresses, (port + at % PORTS, server_port), message)
            space[at * SPACE:at * SPACE + len(made)] = made
        self.first = ctypes.create_string_buffer(made, len(made))
        self.sender = load(sender(counters, frames, number, len(made), int(window), index))
        in_driver = 1 << 2
        self.link = bpf(LINK_CREATE, struct.pack("=4I", load(receiver(counters, server_port)), index, 37, in_driver))

    def figure(self, at):
        return struct.unpack_from("=Q", self.counters, at)[0]

    def send(self):
        live, batch, data = 1 << 1, 64, ctypes.addressof(self.first)
        test = (self.sender, 0, len(self.first), 0, data, 0, BURST, 0, 0, 0, 0, 0, live, 0, batch)
        bpf(TEST_RUN, struct.pack("=4I2Q4I2Q3I4x", *test))

    def ask(self, number):
        first, listed, lost = self.figure(ANSWERED), self.figure(LISTED), 0
        start = news = time.monotonic()
        last = first
        while last - first + lost < number:
            self.send()
            answered, now = self.figure(ANSWERED), time.monotonic()
            if answered != last:
                last, news = answered, now
            elif now - news > PATIENCE:
                lost += self.figure(SENT) - answered
                struct.pack_into("=Q", self.counters, SENT, answered)
                news = now
        return last - first, self.figure(LISTED) - listed, lost, time.monotonic() - start


clients = Clients(*sys.argv[1:])
print(flush=True)
for line in sys.stdin:
    print(*clients.ask(int(line)), flush=True)
