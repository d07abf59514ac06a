"""Opens connections and holds them: holder.py PORT CONNECTIONS ADDRESSES. They come from so many addresses of the
loopback network, in turn. Prints "held" when all are open; then, for each line of its input, how many the server
has closed."""

import resource
import socket
import sys

port, connections, addresses = map(int, sys.argv[1:])
hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
held = []
for number in range(connections):
    source = number % addresses
    address = f"127.1.{source // 250}.{source % 250 + 1}"
    held.append(socket.create_connection(("127.0.0.1", port), source_address=(address, 0)))
    held[-1].setblocking(False)
print("held", flush=True)
closed = set()
for _ in sys.stdin:
    for number, connection in enumerate(held):
        if number not in closed:
            try:
                if connection.recv(1) == b"":
                    closed.add(number)
            except BlockingIOError:
                pass
            except ConnectionResetError:
                closed.add(number)
    print(len(closed), flush=True)
