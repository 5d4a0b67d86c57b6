package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"
)

const (
	lookAgain = 5 * time.Second
	patience  = 2 * time.Second
)

// meilisearch is the search engine, which may be away or absent: then PostgreSQL serves.
type meilisearch struct {
	address, key string
	client       *http.Client
	filled       atomic.Bool
	trouble      atomic.Value
}

func newMeilisearch(address, key string) *meilisearch {
	engine := &meilisearch{address: address, key: key, client: &http.Client{Timeout: patience}}
	engine.trouble.Store("not asked yet")
	return engine
}

func (m *meilisearch) usable() bool { return m.filled.Load() }

func (m *meilisearch) describe() string {
	switch {
	case m.address == "":
		return "absent: MEILI_URL is not set; PostgreSQL full-text search serves"
	case m.usable():
		return "serves"
	default:
		return fmt.Sprintf("away: %v; PostgreSQL full-text search serves", m.trouble.Load())
	}
}

// follow fills the engine whenever it (re)appears, and notices when it goes away.
func (m *meilisearch) follow(products func() ([]product, error)) {
	if m.address == "" {
		return
	}
	for ; ; time.Sleep(lookAgain) {
		err := m.call(context.Background(), http.MethodGet, "/health", nil, nil)
		if err == nil && !m.usable() {
			err = m.fill(products)
		}
		if err != nil {
			m.trouble.Store(err.Error())
		}
		m.filled.Store(err == nil)
	}
}

func (m *meilisearch) fill(products func() ([]product, error)) error {
	all, err := products()
	if err != nil {
		return err
	}
	return m.call(context.Background(), http.MethodPost, "/indexes/products/documents?primaryKey=sku", all, nil)
}

func (m *meilisearch) search(ctx context.Context, words string) ([]product, error) {
	var answer struct{ Hits []product }
	question := map[string]any{"q": words, "limit": 20}
	err := m.call(ctx, http.MethodPost, "/indexes/products/search", question, &answer)
	return answer.Hits, err
}

func (m *meilisearch) call(ctx context.Context, method, path string, body, answer any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, method, m.address+path, bytes.NewReader(text))
	if err != nil {
		return err
	}
	request.Header.Set("content-type", "application/json")
	if m.key != "" {
		request.Header.Set("authorization", "Bearer "+m.key)
	}
	response, err := m.client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode >= 300 {
		return fmt.Errorf("%s answered %d", path, response.StatusCode)
	}
	if answer == nil {
		return nil
	}
	return json.NewDecoder(response.Body).Decode(answer)
}
