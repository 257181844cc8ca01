"""Reads one partition of a cluster by Arrow Flight and prints its rows; then tries it without the secret, which is refused."""

import json
import math
import sys

import pyarrow.flight as flight

location, secret, key = sys.argv[1:]
ticket = flight.Ticket(key.encode())
client = flight.connect(location)
options = flight.FlightCallOptions(headers=[(b"authorization", b"Bearer " + secret.encode())], timeout=30)
rows = client.do_get(ticket, options).read_all().to_pylist()
shown = [{name: "nan" if isinstance(cell, float) and math.isnan(cell) else cell for name, cell in row.items()} for row in rows]
try:
    client.do_get(ticket, flight.FlightCallOptions(timeout=30)).read_all()
    outcome = "served"
except (flight.FlightUnauthenticatedError, flight.FlightUnauthorizedError):
    outcome = "refused"
print(json.dumps(shown, sort_keys=True), outcome)
