"""Publishes records with aiokafka and its default partitioner: publish.py BOOTSTRAP TOPIC

Reads the records from standard input, one a line: the key, a space, and the value in Base64.
"""

import asyncio
import base64
import sys

from aiokafka import AIOKafkaProducer


async def main(bootstrap, topic):
    async with AIOKafkaProducer(bootstrap_servers=bootstrap) as producer:
        sent = []
        for line in sys.stdin:
            key, value = line.split()
            sent.append(await producer.send(topic, key=key.encode(), value=base64.b64decode(value)))
        await asyncio.gather(*sent)


asyncio.run(main(*sys.argv[1:]))
