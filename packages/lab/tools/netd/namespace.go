package main

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// in runs work on a thread in the namespace of that name. The thread ends with the work: if it were reused and not moved back correctly, other goroutines would run in the
// wrong namespace.
func in(namespace string, work func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		done <- func() error {
			file, err := os.Open("/run/netns/" + namespace)
			if err != nil {
				return err
			}
			defer file.Close()
			if err := unix.Setns(int(file.Fd()), unix.CLONE_NEWNET); err != nil {
				return fmt.Errorf("entering namespace %s: %w", namespace, err)
			}
			return work()
		}()
	}()
	return <-done
}

func listenIn(namespace, address string) (listener net.Listener, err error) {
	err = in(namespace, func() error {
		listener, err = net.Listen("tcp4", address)
		return err
	})
	return listener, err
}

// dialIn connects from a namespace. Only the socket is created on a thread in the namespace, so that a thousand hanging connections do not hold a thousand threads.
func dialIn(namespace string, from netip.Addr, to netip.AddrPort, timeout time.Duration) (net.Conn, error) {
	deadline := time.Now().Add(timeout)
	var file *os.File
	err := in(namespace, func() error {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		file = os.NewFile(uintptr(fd), to.String())
		if from.IsValid() {
			if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: from.As4()}); err != nil {
				return fmt.Errorf("binding to %s: %w", from, err)
			}
		}
		if err := unix.Connect(fd, &unix.SockaddrInet4{Addr: to.Addr().As4(), Port: int(to.Port())}); err != nil && err != unix.EINPROGRESS {
			return err
		}
		return nil
	})
	if file == nil {
		return nil, err
	}
	defer file.Close()
	if err != nil {
		return nil, err
	}
	if err := connected(file, deadline); err != nil {
		return nil, err
	}
	return net.FileConn(file)
}

// connected waits until the kernel has completed a connect.
func connected(file *os.File, deadline time.Time) error {
	if err := file.SetWriteDeadline(deadline); err != nil {
		return err
	}
	raw, err := file.SyscallConn()
	if err != nil {
		return err
	}
	var failure error
	err = raw.Write(func(fd uintptr) bool {
		code, err := unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_ERROR)
		if err != nil || code != 0 {
			failure = fmt.Errorf("%w", unix.Errno(code))
			return true
		}
		// This function is also called before the connect completes: only a connected socket has a peer.
		_, err = unix.Getpeername(int(fd))
		return err == nil
	})
	if failure != nil {
		return failure
	}
	return err
}
