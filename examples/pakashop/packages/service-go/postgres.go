package service

import (
	"database/sql"
	"log"
	"net/url"
	"os"
	"time"
)

// Postgres opens DATABASE_URL with the driver that the service has registered as "postgres".
func Postgres() *sql.DB {
	address, err := url.Parse(os.Getenv("DATABASE_URL"))
	if err != nil {
		// The address holds a password, and so does the error.
		log.Fatal("DATABASE_URL is not an address")
	}
	// lib/pq insists on TLS unless told otherwise; a database on this machine has none.
	query := address.Query()
	if query.Get("sslmode") == "" && (address.Hostname() == "127.0.0.1" || address.Hostname() == "localhost") {
		query.Set("sslmode", "disable")
		address.RawQuery = query.Encode()
	}
	database, err := sql.Open("postgres", address.String())
	if err != nil {
		log.Fatal("DATABASE_URL is refused by the driver")
	}
	database.SetMaxOpenConns(2)
	database.SetConnMaxIdleTime(10 * time.Second)
	return database
}
