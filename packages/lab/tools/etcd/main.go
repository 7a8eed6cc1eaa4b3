// The etcd server. The server's module publishes a library; etcd's own main package is in a module without releases.
package main

import (
	"os"

	"go.etcd.io/etcd/server/v3/etcdmain"
)

func main() { etcdmain.Main(os.Args) }
