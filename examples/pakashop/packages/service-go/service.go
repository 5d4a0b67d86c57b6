// Package service runs one Go service of the fleet: health, readiness, flags, faults and a graceful end.
package service

import (
	"context"
	"encoding/json"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

const longestDrain = 30 * time.Second

// Definition is what a service adds to the frame.
type Definition struct {
	Name string
	// Version and Behaviour are the embedded files VERSION and behaviour.json.
	Version   string
	Behaviour []byte
	// Needs names the services that must be ready first; config also fills the flags.
	Needs []string
	// Checks are the stores that must answer, by name; the text is shown in the details of /health/ready.
	Checks map[string]func(context.Context) (string, error)
	// Routes are served once the service is ready.
	Routes map[string]http.HandlerFunc
	// Close is called after the last answer.
	Close func()
}

type behaviour struct {
	NeverReady, ExitAtStart, IgnoreTerm bool
	FailAfter, SlowMs                   int64
}

type service struct {
	Definition
	behaviour behaviour
	details   details
	ready     atomic.Bool
	stopping  atomic.Bool
	served    atomic.Int64
}

// Run serves until the process is told to stop.
func Run(definition Definition) {
	s := &service{Definition: definition}
	if err := json.Unmarshal(definition.Behaviour, &s.behaviour); err != nil {
		log.Fatalf("behaviour.json: %v", err)
	}
	if s.behaviour.ExitAtStart {
		log.Fatal("exitAtStart: giving up")
	}
	host := os.Getenv("HOST")
	if host == "" {
		host = "127.0.0.1"
	}
	listener, err := net.Listen("tcp", net.JoinHostPort(host, os.Getenv("PORT")))
	if err != nil {
		log.Fatal(err)
	}
	server := &http.Server{Handler: s.handler(), IdleTimeout: 65 * time.Second}
	go s.prepare()
	log.Printf("%s listens on %s", s.Name, listener.Addr())
	ended := make(chan struct{})
	go s.stopOnSignal(server, ended)
	if err := server.Serve(listener); err != http.ErrServerClosed {
		log.Fatal(err)
	}
	<-ended
}

func (s *service) stopOnSignal(server *http.Server, ended chan<- struct{}) {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	for range signals {
		if !s.behaviour.IgnoreTerm {
			break
		}
	}
	s.stopping.Store(true)
	ctx, cancel := context.WithTimeout(context.Background(), longestDrain)
	defer cancel()
	_ = server.Shutdown(ctx)
	if s.Close != nil {
		s.Close()
	}
	close(ended)
}

func (s *service) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/health", func(w http.ResponseWriter, _ *http.Request) {
		Send(w, http.StatusOK, s.identity(map[string]any{"status": "ok"}))
	})
	mux.HandleFunc("/health/ready", s.readiness)
	mux.HandleFunc("/version", func(w http.ResponseWriter, _ *http.Request) {
		Send(w, http.StatusOK, s.identity(map[string]any{}))
	})
	for path, handle := range s.Routes {
		mux.HandleFunc(path, s.guarded(handle))
	}
	return mux
}

func (s *service) identity(fields map[string]any) map[string]any {
	fields["service"] = s.Name
	fields["version"] = strings.TrimSpace(s.Version)
	fields["release"] = orNull("DROVER_RELEASE")
	fields["slot"] = orNull("DROVER_SLOT")
	fields["pid"] = os.Getpid()
	return fields
}

func (s *service) guarded(handle http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if !s.ready.Load() {
			Fail(w, http.StatusServiceUnavailable, "not ready")
			return
		}
		served := s.served.Add(1)
		time.Sleep(time.Duration(s.behaviour.SlowMs) * time.Millisecond)
		if after := s.behaviour.FailAfter; after > 0 && served > after && r.Method == http.MethodGet {
			Fail(w, http.StatusInternalServerError, "failAfter")
			return
		}
		handle(w, r)
	}
}

// Send answers with JSON.
func Send(w http.ResponseWriter, status int, body any) {
	w.Header().Set("content-type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

// Fail answers with a reason.
func Fail(w http.ResponseWriter, status int, reason string) {
	Send(w, status, map[string]string{"error": reason})
}

func orNull(variable string) any {
	if value, ok := os.LookupEnv(variable); ok {
		return value
	}
	return nil
}
