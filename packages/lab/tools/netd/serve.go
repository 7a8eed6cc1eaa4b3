package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
)

// Work is everything that has to run, by names that the answers repeat. Each Work replaces the one before; what is in both keeps running.
type Work struct {
	Number int
	Checks map[string]Check
	Relays map[string]Relay
}

// Answer is one of these: the number of a Work that is in effect, the health of a target, or a failure.
type Answer struct {
	Taken   int    `json:"taken,omitempty"`
	Check   string `json:"check,omitempty"`
	Healthy bool   `json:"healthy,omitempty"`
	Failed  string `json:"failed,omitempty"`
}

var writing sync.Mutex

func answer(message any) {
	writing.Lock()
	defer writing.Unlock()
	json.NewEncoder(os.Stdout).Encode(message)
}

// serve ends when standard input does, and so when its parent does.
func serve(input *json.Decoder) error {
	checks, relays := map[string]running[Check]{}, map[string]running[Relay]{}
	for {
		var work Work
		if err := input.Decode(&work); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("reading work: %w", err)
		}
		replace(checks, work.Checks, func(ctx context.Context, name string, check Check) error {
			go check.run(ctx, func(healthy bool) { answer(Answer{Check: name, Healthy: healthy}) })
			return nil
		})
		replace(relays, work.Relays, func(ctx context.Context, name string, relay Relay) error {
			return relay.open(ctx)
		})
		answer(Answer{Taken: work.Number})
	}
}

type running[What comparable] struct {
	what What
	stop context.CancelFunc
}

// replace stops what is no longer wanted and starts what is new. What could not be started is retried with the next Work.
func replace[What comparable](now map[string]running[What], wanted map[string]What, start func(context.Context, string, What) error) {
	for name, current := range now {
		if what, ok := wanted[name]; !ok || what != current.what {
			current.stop()
			delete(now, name)
		}
	}
	for name, what := range wanted {
		if _, ok := now[name]; ok {
			continue
		}
		ctx, stop := context.WithCancel(context.Background())
		if err := start(ctx, name, what); err != nil {
			stop()
			answer(Answer{Failed: fmt.Sprintf("%s: %v", name, err)})
			continue
		}
		now[name] = running[What]{what, stop}
	}
}
