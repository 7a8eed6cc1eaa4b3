package main

import (
	"context"
	"io"
	"net"
	"os"
	"strings"
	"time"
)

// Relay carries connections from a namespace (empty: netd's own) to an address in netd's own namespace. Either end may be the path of a unix socket, which connects two
// namespaces without a link.
type Relay struct {
	Namespace string
	Listen    string
	To        string
}

// half is a connection of which one direction can be closed: TCP or a unix socket.
type half interface {
	net.Conn
	CloseWrite() error
}

// open listens until the context ends. Then all connections end too.
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
		// A killed netd leaves its socket behind, and nobody can listen on that.
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
		// As if nobody listened on the port.
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

// pipe also passes the end of a stream on: a client that has sent everything may still wait for an answer.
func pipe(to, from half) {
	if _, err := io.Copy(to, from); err != nil {
		reset(to)
		to.Close()
		from.Close()
		return
	}
	to.CloseWrite()
}

// reset makes the next close send a TCP reset.
func reset(conn half) {
	if tcp, ok := conn.(*net.TCPConn); ok {
		tcp.SetLinger(0)
	}
}
