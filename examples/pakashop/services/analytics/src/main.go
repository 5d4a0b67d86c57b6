// Analytics counts events of the shop, by kind and day.
package main

import (
	"context"
	"database/sql"
	_ "embed"
	"encoding/json"
	"net/http"

	_ "github.com/lib/pq"

	"pakashop/service"
)

//go:embed VERSION
var version string

//go:embed behaviour.json
var behaviour []byte

func main() {
	database := service.Postgres()
	service.Run(service.Definition{
		Name: "analytics", Version: version, Behaviour: behaviour,
		Needs: []string{"config", "gateway"},
		Checks: map[string]func(context.Context) (string, error){
			"postgres": func(ctx context.Context) (string, error) { return "", database.PingContext(ctx) },
		},
		Routes: map[string]http.HandlerFunc{"/events": events(database)},
		Close:  func() { _ = database.Close() },
	})
}

func events(database *sql.DB) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		switch r.Method {
		case http.MethodGet:
			list(database, w, r)
		case http.MethodPost:
			record(database, w, r)
		default:
			service.Fail(w, http.StatusMethodNotAllowed, "GET or POST")
		}
	}
}

func record(database *sql.DB, w http.ResponseWriter, r *http.Request) {
	var event struct{ Kind string }
	if err := json.NewDecoder(r.Body).Decode(&event); err != nil || event.Kind == "" {
		service.Fail(w, http.StatusBadRequest, "kind is needed")
		return
	}
	_, err := database.ExecContext(r.Context(), `INSERT INTO event_counts (kind, day, count) VALUES ($1, current_date, 1)
		ON CONFLICT (kind, day) DO UPDATE SET count = event_counts.count + 1`, event.Kind)
	if err != nil {
		service.Fail(w, http.StatusInternalServerError, err.Error())
		return
	}
	service.Send(w, http.StatusAccepted, map[string]string{"kind": event.Kind})
}

func list(database *sql.DB, w http.ResponseWriter, r *http.Request) {
	rows, err := database.QueryContext(r.Context(), "SELECT kind, sum(count) FROM event_counts GROUP BY kind")
	if err != nil {
		service.Fail(w, http.StatusInternalServerError, err.Error())
		return
	}
	defer rows.Close()
	counts := map[string]int64{}
	for rows.Next() {
		var kind string
		var count int64
		if err := rows.Scan(&kind, &count); err != nil {
			service.Fail(w, http.StatusInternalServerError, err.Error())
			return
		}
		counts[kind] = count
	}
	service.Send(w, http.StatusOK, counts)
}
