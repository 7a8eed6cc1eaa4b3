package main

import (
	"context"
	"net"
	"net/netip"
	"time"
)

// Check is what one interface of a load balancer does to know whether a target is well: connect, and close.
type Check struct {
	Namespace                            string
	From                                 netip.Addr
	To                                   netip.AddrPort
	IntervalMilliseconds                 int
	TimeoutMilliseconds                  int
	HealthyThreshold, UnhealthyThreshold int
}

func (check Check) run(ctx context.Context, tell func(healthy bool)) {
	ticker := time.NewTicker(time.Duration(check.IntervalMilliseconds) * time.Millisecond)
	defer ticker.Stop()
	var good, bad int
	for {
		conn, err := dialIn(check.Namespace, check.From, check.To, time.Duration(check.TimeoutMilliseconds)*time.Millisecond)
		if err == nil {
			// A reset leaves no port in TIME_WAIT: checks would use them up.
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
			tell(err == nil)
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}
