"""A store that speaks S3, in memory, with one bucket: `frames`. Prints its address, and ends when nobody holds its input any more."""

import sys

import boto3
from moto.server import ThreadedMotoServer

server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
host, port = server.get_host_and_port()
address = f"http://{host}:{port}"
client = boto3.client(
    "s3", endpoint_url=address, region_name="us-east-1", aws_access_key_id="testing", aws_secret_access_key="testing"
)
client.create_bucket(Bucket="frames")
print(address, flush=True)
sys.stdin.read()
server.stop()
