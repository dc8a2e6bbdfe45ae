// Publishes records with sarama and its default partitioner (FNV-1a): publish BOOTSTRAP TOPIC
//
// Reads the records from standard input, one a line: the key, a space, and the value in Base64.
package main

import (
	"bufio"
	"encoding/base64"
	"log"
	"os"
	"strings"

	"github.com/IBM/sarama"
)

const batch = 500

func main() {
	config := sarama.NewConfig()
	config.Producer.Return.Successes = true
	producer, err := sarama.NewSyncProducer(strings.Split(os.Args[1], ","), config)
	check(err)
	var messages []*sarama.ProducerMessage
	send := func() {
		check(producer.SendMessages(messages))
		messages = nil
	}
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		key, encoded, _ := strings.Cut(lines.Text(), " ")
		value, err := base64.StdEncoding.DecodeString(encoded)
		check(err)
		messages = append(messages, &sarama.ProducerMessage{
			Topic: os.Args[2],
			Key:   sarama.StringEncoder(key),
			Value: sarama.ByteEncoder(value),
		})
		if len(messages) == batch {
			send()
		}
	}
	check(lines.Err())
	send()
	check(producer.Close())
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
