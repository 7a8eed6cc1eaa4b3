// netd does the work of the lab's kernel network that needs sockets in namespaces: health checks of load balancers, relays to API servers, and, for tests, connections
// from any namespace to any other. It stays in the namespace in which it starts; only its sockets are created in others.
package main

import (
	"encoding/json"
	"fmt"
	"os"
)

var modes = map[string]func(*json.Decoder) error{"serve": serve, "listen": listen, "probe": probe}

func main() {
	mode := func(*json.Decoder) error { return fmt.Errorf("usage: netd serve|listen|probe, JSON on standard input") }
	if len(os.Args) == 2 && modes[os.Args[1]] != nil {
		mode = modes[os.Args[1]]
	}
	if err := mode(json.NewDecoder(os.Stdin)); err != nil {
		fmt.Fprintln(os.Stderr, "netd:", err)
		os.Exit(1)
	}
}
