package main

import (
	"errors"
	"fmt"
	"net"
	"net/http"

	"github.com/cilium/hive/cell"

	"github.com/cilium/cilium/pkg/hive"
	k8sClient "github.com/cilium/cilium/pkg/k8s/client"
)

// serveHealth answers the chart's probes as Cilium's operator does: a replica is healthy if it reaches the API server, leader or not.
func serveHealth(lifecycle cell.Lifecycle, config config, client k8sClient.Clientset, shutdowner hive.Shutdowner) {
	mux := http.NewServeMux()
	mux.HandleFunc("/healthz", func(w http.ResponseWriter, _ *http.Request) {
		if _, err := client.Discovery().ServerVersion(); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		fmt.Fprint(w, "ok")
	})
	server := &http.Server{Handler: mux}
	lifecycle.Append(cell.Hook{
		OnStart: func(cell.HookContext) error {
			listener, err := net.Listen("tcp", config.Address)
			if err != nil {
				return fmt.Errorf("operator-api-serve-addr: %w", err)
			}
			go func() {
				if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
					shutdowner.Shutdown(hive.ShutdownWithError(err))
				}
			}()
			return nil
		},
		OnStop: func(ctx cell.HookContext) error { return server.Shutdown(ctx) },
	})
}
