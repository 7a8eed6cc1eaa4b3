// The etcd server: its module publishes the server as a library, its own main lies in a module without releases.
package main

import (
	"os"

	"go.etcd.io/etcd/server/v3/etcdmain"
)

func main() { etcdmain.Main(os.Args) }
