package service

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"
)

const (
	firstPause   = 50 * time.Millisecond
	longestPause = 500 * time.Millisecond
)

var (
	client = &http.Client{Timeout: 5 * time.Second}
	flags  sync.Map
)

// Flag says whether a flag was on when the service started.
func Flag(name string) bool {
	on, _ := flags.Load(name)
	return on == true
}

type detail map[string]any

type details struct {
	mutex  sync.Mutex
	byName map[string]detail
}

func (d *details) set(name string, value detail) {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	if d.byName == nil {
		d.byName = map[string]detail{}
	}
	d.byName[name] = value
}

func (d *details) all() (map[string]detail, bool) {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	copied, ok := map[string]detail{}, true
	for name, value := range d.byName {
		copied[name] = value
		ok = ok && value["ok"] == true
	}
	return copied, ok
}

// prepare ends when all that the service needs has answered once. While the release is not live yet, DROVER_SET leads the
// questions to the release's own services.
func (s *service) prepare() {
	var done sync.WaitGroup
	for _, peer := range s.Needs {
		done.Add(1)
		go func(peer string) { defer done.Done(); s.until(peer, func() (detail, error) { return askPeer(peer) }) }(peer)
	}
	for name := range s.Checks {
		done.Add(1)
		go func(name string) { defer done.Done(); s.until(name, func() (detail, error) { return s.check(name) }) }(name)
	}
	done.Wait()
	s.ready.Store(!s.behaviour.NeverReady)
}

func (s *service) until(name string, attempt func() (detail, error)) {
	for pause := firstPause; ; pause = longer(pause) {
		value, err := attempt()
		s.details.set(name, judged(value, err))
		if err == nil {
			return
		}
		time.Sleep(pause)
	}
}

func (s *service) check(name string) (detail, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	text, err := s.Checks[name](ctx)
	if text == "" {
		return detail{}, err
	}
	return detail{"detail": text}, err
}

func (s *service) readiness(w http.ResponseWriter, _ *http.Request) {
	started := s.ready.Load()
	if started {
		for name := range s.Checks {
			value, err := s.check(name)
			s.details.set(name, judged(value, err))
		}
	}
	dependencies, ok := s.details.all()
	ready := started && ok && !s.stopping.Load()
	status := http.StatusOK
	if !ready {
		status = http.StatusServiceUnavailable
	}
	Send(w, status, s.identity(map[string]any{
		"ready": ready, "stopping": s.stopping.Load(), "dependencies": dependencies,
	}))
}

func judged(value detail, err error) detail {
	if err != nil {
		return detail{"ok": false, "detail": err.Error()}
	}
	value["ok"] = true
	return value
}

func askPeer(peer string) (detail, error) {
	path := "/health/ready"
	if peer == "config" {
		path = "/flags"
	}
	variable := strings.ToUpper(peer) + "_URL"
	request, err := http.NewRequest(http.MethodGet, os.Getenv(variable)+path, nil)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", variable, err)
	}
	if set := os.Getenv("DROVER_SET"); set != "" {
		request.Header.Set("x-drover-set", set)
	}
	response, err := client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode >= 300 {
		return nil, fmt.Errorf("%s answered %d", peer, response.StatusCode)
	}
	var answer struct {
		Version string
		Flags   map[string]bool
	}
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		return nil, fmt.Errorf("%s: %w", peer, err)
	}
	for name, on := range answer.Flags {
		flags.Store(name, on)
	}
	return detail{"version": answer.Version}, nil
}

func longer(pause time.Duration) time.Duration {
	if pause = pause * 3 / 2; pause > longestPause {
		return longestPause
	}
	return pause
}
