// Search finds products: in Meilisearch where there is one, and in PostgreSQL's full-text search where it is away.
package main

import (
	"context"
	"database/sql"
	_ "embed"
	"net/http"
	"os"

	_ "github.com/lib/pq"

	"pakashop/service"
)

//go:embed VERSION
var version string

//go:embed behaviour.json
var behaviour []byte

type product struct {
	Sku         string `json:"sku"`
	Name        string `json:"name"`
	Description string `json:"description"`
}

func main() {
	database := service.Postgres()
	engine := newMeilisearch(os.Getenv("MEILI_URL"), os.Getenv("MEILI_MASTER_KEY"))
	go engine.follow(func() ([]product, error) { return query(context.Background(), database, everything) })
	service.Run(service.Definition{
		Name: "search", Version: version, Behaviour: behaviour,
		Needs: []string{"config", "gateway"},
		Checks: map[string]func(context.Context) (string, error){
			"postgres":    func(ctx context.Context) (string, error) { return "", database.PingContext(ctx) },
			"meilisearch": func(context.Context) (string, error) { return engine.describe(), nil },
		},
		Routes: map[string]http.HandlerFunc{"/search": search(database, engine)},
		Close:  func() { _ = database.Close() },
	})
}

const (
	everything = "SELECT sku, name, description FROM products"
	fullText   = everything + ` WHERE to_tsvector('simple', name || ' ' || description) @@ plainto_tsquery('simple', $1)
		ORDER BY sku LIMIT 20`
)

func search(database *sql.DB, engine *meilisearch) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		words := r.URL.Query().Get("q")
		if service.Flag("search.meilisearch") && engine.usable() {
			if hits, err := engine.search(r.Context(), words); err == nil {
				service.Send(w, http.StatusOK, map[string]any{"by": "meilisearch", "hits": hits})
				return
			}
		}
		hits, err := query(r.Context(), database, fullText, words)
		if err != nil {
			service.Fail(w, http.StatusInternalServerError, err.Error())
			return
		}
		service.Send(w, http.StatusOK, map[string]any{"by": "postgres", "hits": hits})
	}
}

func query(ctx context.Context, database *sql.DB, text string, values ...any) ([]product, error) {
	rows, err := database.QueryContext(ctx, text, values...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	products := []product{}
	for rows.Next() {
		var p product
		if err := rows.Scan(&p.Sku, &p.Name, &p.Description); err != nil {
			return nil, err
		}
		products = append(products, p)
	}
	return products, rows.Err()
}
