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

// Listener answers every connection with the address that it sees it come from, and then with whatever it is sent.
type Listener struct {
	Namespace string
	Address   string
}

// Probe is one connection. It is open when the other end has said whom it sees.
type Probe struct {
	Namespace           string
	From                netip.Addr
	To                  netip.AddrPort
	TimeoutMilliseconds int
}

// Outcome is what became of the probe of that index: the address that the other end saw, or why there is none.
type Outcome struct {
	Index int    `json:"index"`
	Seen  string `json:"seen,omitempty"`
	Error string `json:"error,omitempty"`
}

// listen reads a list of listeners, says so when all of them listen, and goes on until standard input ends.
func listen(input *json.Decoder) error {
	var listeners []Listener
	if err := input.Decode(&listeners); err != nil {
		return err
	}
	for _, one := range listeners {
		listener, err := listenIn(one.Namespace, one.Address)
		if err != nil {
			return fmt.Errorf("%s in %s: %w", one.Address, one.Namespace, err)
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

// probe reads a list of probes, makes them all at once, and tells every outcome.
func probe(input *json.Decoder) error {
	var probes []Probe
	if err := input.Decode(&probes); err != nil {
		return err
	}
	var all sync.WaitGroup
	for index, one := range probes {
		all.Go(func() {
			seen, err := one.make()
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

func (one Probe) make() (string, error) {
	timeout := time.Duration(one.TimeoutMilliseconds) * time.Millisecond
	conn, err := dialIn(one.Namespace, one.From, one.To, timeout)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(timeout))
	line, err := bufio.NewReader(conn).ReadString('\n')
	return strings.TrimSpace(line), err
}
