package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
	"time"
)

// Listener sends the client's address, as the listener sees it, on every connection, and then echoes what it receives.
type Listener struct {
	Namespace string
	Address   string
}

// Probe is one connection. It succeeds when the listener has sent the address that it sees.
type Probe struct {
	Namespace           string
	From                netip.Addr
	To                  netip.AddrPort
	TimeoutMilliseconds int
}

// Outcome is the result of the probe with that index: the address that the listener saw, or the error.
type Outcome struct {
	Index int    `json:"index"`
	Seen  string `json:"seen,omitempty"`
	Error string `json:"error,omitempty"`
}

// listen reads a list of listeners, reports when all of them listen, and serves until standard input ends.
func listen(input *json.Decoder) error {
	var listeners []Listener
	if err := input.Decode(&listeners); err != nil {
		return err
	}
	for _, wanted := range listeners {
		listener, err := listenIn(wanted.Namespace, wanted.Address)
		if err != nil {
			return fmt.Errorf("%s in %s: %w", wanted.Address, wanted.Namespace, err)
		}
		go func() {
			for {
				conn, err := listener.Accept()
				if err != nil {
					return
				}
				go func() {
					defer conn.Close()
					host, _, _ := net.SplitHostPort(conn.RemoteAddr().String())
					fmt.Fprintln(conn, host)
					io.Copy(conn, conn)
				}()
			}
		}()
	}
	answer(Answer{Taken: 1})
	input.Decode(&listeners)
	return nil
}

// probe reads a list of probes, makes them all at once, and reports every outcome.
func probe(input *json.Decoder) error {
	var probes []Probe
	if err := input.Decode(&probes); err != nil {
		return err
	}
	var all sync.WaitGroup
	for index, probe := range probes {
		all.Go(func() {
			seen, err := probe.connect()
			outcome := Outcome{Index: index, Seen: seen}
			if err != nil {
				outcome.Error = err.Error()
			}
			answer(outcome)
		})
	}
	all.Wait()
	return nil
}

func (probe Probe) connect() (string, error) {
	timeout := time.Duration(probe.TimeoutMilliseconds) * time.Millisecond
	conn, err := dialIn(probe.Namespace, probe.From, probe.To, timeout)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(timeout))
	line, err := bufio.NewReader(conn).ReadString('\n')
	return strings.TrimSpace(line), err
}
