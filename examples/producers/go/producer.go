// Publishes customer events with franz-go and its default partitioner (murmur2).
//
//	producer BOOTSTRAP REGISTRY TOPIC SCHEMA TENANT CUSTOMERS
//
// SCHEMA is the file that `tidemark schema` prints.
package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"log"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/avro"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sr"
)

type record = map[string]any

// payloads returns the payloads of one customer, each as {record of the union: fields}.
func payloads(customer string) []record {
	return []record{
		{"tidemark.v1.ProfileUpdated": record{"attributes": record{
			"name": customer, "age": int64(42), "vip": true, "score": 0.5}}},
		{"tidemark.v1.OrderPlaced": record{"order_id": "o-" + customer, "amount_minor": int64(1999),
			"currency": "EUR", "items": nil, "channel": "web"}},
		{"tidemark.v1.OrderRefunded": record{"order_id": "o-" + customer, "amount_minor": int64(500),
			"currency": "EUR"}},
		{"tidemark.v1.SubscriptionChanged": record{"subscription_id": "s-" + customer,
			"status": "active", "plan": "pro", "mrr_minor": int64(900), "currency": "EUR"}},
		{"tidemark.v1.StageEntered": record{"journey": "purchase", "stage": "viewing"}},
		{"tidemark.v1.ActivityTracked": record{"name": "page_viewed",
			"properties": record{"path": "/prices"}}},
		{"tidemark.v1.MessageExchanged": record{"conversation_id": "c-" + customer,
			"channel": "chat", "direction": "inbound", "agent": nil, "sentiment": 0.25,
			"intent": "question", "response_ms": nil}},
	}
}

// uuid returns a random UUID of version 4.
func uuid() string {
	var b [16]byte
	rand.Read(b[:])
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

func run(bootstrap, registry, topic, schemaFile, tenant, customers string) error {
	ctx := context.Background()
	text, err := os.ReadFile(schemaFile)
	if err != nil {
		return err
	}
	schema, err := avro.Parse(string(text))
	if err != nil {
		return err
	}
	schemas, err := sr.NewClient(sr.URLs(registry))
	if err != nil {
		return err
	}
	// Changes nothing if the registry has the schema.
	registered, err := schemas.CreateSchema(ctx, topic+"-value",
		sr.Schema{Schema: string(text), Type: sr.TypeAvro})
	if err != nil {
		return err
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(strings.Split(bootstrap, ",")...))
	if err != nil {
		return err
	}
	defer client.Close()
	count, err := strconv.Atoi(customers)
	if err != nil {
		return err
	}
	var failed kgo.FirstErrPromise
	for number := range count {
		customer := fmt.Sprintf("customer-%d", number)
		for _, payload := range payloads(customer) {
			// The wire format: the byte 0, the schema's id in four bytes, the Avro datum.
			value, err := new(sr.ConfluentHeader).AppendEncode(nil, registered.ID, nil)
			if err != nil {
				return err
			}
			value, err = schema.AppendEncode(value, record{
				"event_id":    uuid(),
				"tenant_id":   tenant,
				"customer_id": customer,
				"source":      "go",
				"occurred_at": time.Now(),
				"payload":     payload,
			})
			if err != nil {
				return err
			}
			client.Produce(ctx, &kgo.Record{
				Topic: topic,
				Key:   []byte(tenant + "/" + customer),
				Value: value,
			}, failed.Promise())
		}
	}
	if err := client.Flush(ctx); err != nil {
		return err
	}
	return failed.Err()
}

func main() {
	if len(os.Args) != 7 {
		log.Fatal("usage: producer BOOTSTRAP REGISTRY TOPIC SCHEMA TENANT CUSTOMERS")
	}
	arguments := os.Args[1:]
	err := run(arguments[0], arguments[1], arguments[2], arguments[3], arguments[4], arguments[5])
	if err != nil {
		log.Fatal(err)
	}
}
