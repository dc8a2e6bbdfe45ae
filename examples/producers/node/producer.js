// Publishes customer events with kafkajs and its default partitioner (murmur2).
//
//     node producer.js BOOTSTRAP REGISTRY TOPIC SCHEMA TENANT CUSTOMERS
//
// SCHEMA is the file that `tidemark schema` prints.

import { randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";
import avro from "avsc";
import { Kafka, logLevel } from "kafkajs";

const BATCH = 500;

/** Returns the payloads of one customer, each as { record of the union: fields }. */
function payloads(customer) {
  return [
    { "tidemark.v1.ProfileUpdated": { attributes: { name: { string: customer }, age: { long: 42 },
      vip: { boolean: true }, score: { double: 0.5 } } } },
    { "tidemark.v1.OrderPlaced": { order_id: `o-${customer}`, amount_minor: 1999, currency: "EUR",
      items: null, channel: "web" } },
    { "tidemark.v1.OrderRefunded": { order_id: `o-${customer}`, amount_minor: 500, currency: "EUR" } },
    { "tidemark.v1.SubscriptionChanged": { subscription_id: `s-${customer}`, status: "active",
      plan: "pro", mrr_minor: 900, currency: "EUR" } },
    { "tidemark.v1.StageEntered": { journey: "purchase", stage: "viewing" } },
    { "tidemark.v1.ActivityTracked": { name: "page_viewed", properties: { path: { string: "/prices" } } } },
    { "tidemark.v1.MessageExchanged": { conversation_id: `c-${customer}`, channel: "chat",
      direction: "inbound", agent: null, sentiment: 0.25, intent: "question", response_ms: null } },
  ];
}

/** Registers the schema, which changes nothing if the registry has it, and returns its id. */
async function register(registry, subject, schema) {
  const response = await fetch(`${registry}/subjects/${subject}/versions`, {
    method: "POST",
    headers: { "content-type": "application/vnd.schemaregistry.v1+json" },
    body: JSON.stringify({ schema }),
  });
  if (!response.ok) throw new Error(`the registry answers ${response.status}: ${await response.text()}`);
  return (await response.json()).id;
}

/** Returns the wire format: the byte 0, the schema's id in four bytes, the Avro datum. */
function encode(type, id, event) {
  const header = Buffer.alloc(5);
  header.writeUInt32BE(id, 1);
  return Buffer.concat([header, type.toBuffer(event)]);
}

async function main(bootstrap, registry, topic, schemaFile, tenant, customers) {
  const schema = await readFile(schemaFile, "utf8");
  const type = avro.Type.forSchema(JSON.parse(schema), { wrapUnions: "auto" });
  const id = await register(registry, `${topic}-value`, schema);
  const kafka = new Kafka({ brokers: bootstrap.split(","), logLevel: logLevel.WARN });
  const producer = kafka.producer();
  await producer.connect();
  let messages = [];
  const send = async () => {
    await producer.send({ topic, messages });
    messages = [];
  };
  for (let number = 0; number < Number(customers); number++) {
    const customer = `customer-${number}`;
    for (const payload of payloads(customer)) {
      const event = {
        event_id: randomUUID(),
        tenant_id: tenant,
        customer_id: customer,
        source: "node",
        occurred_at: Date.now() * 1000,
        payload,
      };
      messages.push({ key: `${tenant}/${customer}`, value: encode(type, id, event) });
    }
    if (messages.length >= BATCH) await send();
  }
  await send();
  await producer.disconnect();
}

await main(...process.argv.slice(2));
