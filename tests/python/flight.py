"""Reads one partition of a cluster by Arrow Flight and prints its rows; then tries it without the right to do so, which is refused.

The right is a secret, or a folder with ca.pem, cert.pem and key.pem and the name that the port's certificate has.
"""

import json
import math
import sys

import pyarrow.flight as flight

location, key, right, *name = sys.argv[1:]
ticket = flight.Ticket(key.encode())
options = flight.FlightCallOptions(timeout=30)
if name:

    def pem(file):
        with open(f"{right}/{file}.pem", "rb") as opened:
            return opened.read()

    known = {"tls_root_certs": pem("ca"), "override_hostname": name[0]}
    stranger = flight.connect(location, **known)
    client = flight.connect(location, cert_chain=pem("cert"), private_key=pem("key"), **known)
else:
    client = stranger = flight.connect(location)
    options = flight.FlightCallOptions(headers=[(b"authorization", b"Bearer " + right.encode())], timeout=30)
rows = client.do_get(ticket, options).read_all().to_pylist()
shown = [{name: "nan" if isinstance(cell, float) and math.isnan(cell) else cell for name, cell in row.items()} for row in rows]
try:
    stranger.do_get(ticket, flight.FlightCallOptions(timeout=30)).read_all()
    outcome = "served"
except (flight.FlightUnauthenticatedError, flight.FlightUnauthorizedError):
    outcome = "refused"
except (flight.FlightUnavailableError, flight.FlightInternalError):
    # Its handshake is broken off, so it never gets as far as an answer.
    outcome = "refused" if name else "unavailable"
print(json.dumps(shown, sort_keys=True), outcome)
