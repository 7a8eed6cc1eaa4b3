package main

import (
	"context"
	"io"
	"net"
	"os"
	"strings"
	"time"
)

// Relay carries connections from a namespace, netd's own if it is empty, to an address of the namespace that netd itself is in. Either end may be the path
// of a unix socket, through which two namespaces meet that have no link.
type Relay struct {
	Namespace string
	Listen    string
	To        string
}

// half is a connection whose ends can be closed one by one: TCP's or a unix socket's.
type half interface {
	net.Conn
	CloseWrite() error
}

// open listens until the context ends, which also ends the connections.
func (relay Relay) open(ctx context.Context) error {
	listener, err := relay.listen()
	if err != nil {
		return err
	}
	context.AfterFunc(ctx, func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go relay.carry(ctx, conn.(half))
		}
	}()
	return nil
}

func (relay Relay) listen() (net.Listener, error) {
	if network(relay.Listen) == "unix" {
		// One that was killed leaves its socket, which nobody can listen on.
		if err := os.Remove(relay.Listen); err != nil && !os.IsNotExist(err) {
			return nil, err
		}
	} else if relay.Namespace != "" {
		return listenIn(relay.Namespace, relay.Listen)
	}
	return net.Listen(network(relay.Listen), relay.Listen)
}

func network(address string) string {
	if strings.HasPrefix(address, "/") {
		return "unix"
	}
	return "tcp4"
}

func (relay Relay) carry(ctx context.Context, near half) {
	defer near.Close()
	far, err := net.DialTimeout(network(relay.To), relay.To, 10*time.Second)
	if err != nil {
		// As a port on which nobody listens.
		reset(near)
		return
	}
	defer far.Close()
	stop := context.AfterFunc(ctx, func() {
		near.Close()
		far.Close()
	})
	defer stop()
	done := make(chan struct{})
	go func() {
		pipe(far.(half), near)
		close(done)
	}()
	pipe(near, far.(half))
	<-done
}

// pipe hands the end of a stream on as well: who has said all may still be listening.
func pipe(to, from half) {
	if _, err := io.Copy(to, from); err != nil {
		reset(to)
		to.Close()
		from.Close()
		return
	}
	to.CloseWrite()
}

// reset lets the close that follows be no orderly end, where there is a difference.
func reset(conn half) {
	if tcp, ok := conn.(*net.TCPConn); ok {
		tcp.SetLinger(0)
	}
}
