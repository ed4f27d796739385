// Command ferretdb serves the MongoDB protocol from PostgreSQL, for machines that have no mongod.
//
// It exists because FerretDB's own command can't be built by "go install"; the embeddable package can.
// LISTEN_ADDR is the TCP address to serve, POSTGRESQL_URL_FILE names a file with the database's URL.
package main

import (
	"context"
	"log"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/FerretDB/FerretDB/ferretdb"
)

func main() {
	url, err := os.ReadFile(os.Getenv("POSTGRESQL_URL_FILE"))
	if err != nil {
		log.Fatal(err)
	}
	server, err := ferretdb.New(&ferretdb.Config{
		Listener:      ferretdb.ListenerConfig{TCP: os.Getenv("LISTEN_ADDR")},
		Handler:       "postgresql",
		PostgreSQLURL: strings.TrimSpace(string(url)),
	})
	if err != nil {
		log.Fatal(err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := server.Run(ctx); err != nil {
		log.Fatal(err)
	}
}
