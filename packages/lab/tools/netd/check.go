package main

import (
	"context"
	"net"
	"net/netip"
	"time"
)

// Check is the health check of a target by one interface of a load balancer: it connects and closes.
type Check struct {
	Namespace                            string
	From                                 netip.Addr
	To                                   netip.AddrPort
	IntervalMilliseconds                 int
	TimeoutMilliseconds                  int
	HealthyThreshold, UnhealthyThreshold int
}

func (check Check) run(ctx context.Context, report func(healthy bool)) {
	ticker := time.NewTicker(time.Duration(check.IntervalMilliseconds) * time.Millisecond)
	defer ticker.Stop()
	var good, bad int
	for {
		conn, err := dialIn(check.Namespace, check.From, check.To, time.Duration(check.TimeoutMilliseconds)*time.Millisecond)
		if err == nil {
			// Close with a reset: connections in TIME_WAIT would use up all ports.
			if tcp, ok := conn.(*net.TCPConn); ok {
				tcp.SetLinger(0)
			}
			conn.Close()
			good, bad = good+1, 0
		} else {
			good, bad = 0, bad+1
		}
		if ctx.Err() != nil {
			return
		}
		if good == check.HealthyThreshold || bad == check.UnhealthyThreshold {
			report(err == nil)
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}
