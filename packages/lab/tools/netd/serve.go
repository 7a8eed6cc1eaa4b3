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

// Work is all that is to run, by names that the answers repeat. Each one replaces the one before; what is in both goes on undisturbed.
type Work struct {
	Number int
	Checks map[string]Check
	Relays map[string]Relay
}

// Answer is one of these: a piece of work has been taken up; how a target is; what went wrong.
type Answer struct {
	Taken   int    `json:"taken,omitempty"`
	Check   string `json:"check,omitempty"`
	Healthy bool   `json:"healthy,omitempty"`
	Failed  string `json:"failed,omitempty"`
}

var writing sync.Mutex

func answer(one any) {
	writing.Lock()
	defer writing.Unlock()
	json.NewEncoder(os.Stdout).Encode(one)
}

// serve ends when standard input does, and so with whoever started it.
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

// replace ends what is no longer wanted and starts what is new. What could not be started is tried again with the next work.
func replace[What comparable](now map[string]running[What], wanted map[string]What, start func(context.Context, string, What) error) {
	for name, one := range now {
		if what, ok := wanted[name]; !ok || what != one.what {
			one.stop()
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
