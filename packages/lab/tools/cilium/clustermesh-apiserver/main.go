// The program of Cilium's image of this name. All subcommands are Cilium's own except `clustermesh`, which is simulated (simulated_clustermesh.go).
package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	clustermeshdbg "github.com/cilium/cilium/clustermesh-apiserver/clustermesh-dbg"
	"github.com/cilium/cilium/clustermesh-apiserver/common"
	"github.com/cilium/cilium/clustermesh-apiserver/etcdinit"
	"github.com/cilium/cilium/clustermesh-apiserver/kvstoremesh"
	kvstoremeshdbg "github.com/cilium/cilium/clustermesh-apiserver/kvstoremesh-dbg"
	"github.com/cilium/cilium/clustermesh-apiserver/version"
	"github.com/cilium/cilium/pkg/hive"
)

func main() {
	root := &cobra.Command{
		Use:           "clustermesh-apiserver",
		Short:         "Cilium's clustermesh-apiserver, whose subcommand clustermesh is simulated",
		SilenceErrors: true,
	}
	root.AddCommand(
		version.NewCmd(),
		etcdinit.NewCmd(),
		newSimulatedClustermesh(),
		kvstoremesh.NewCmd(hive.New(common.Cell, kvstoremesh.Cell)),
		clustermeshdbg.RootCmd,
		kvstoremeshdbg.RootCmd,
		hive.CiliumShellCmd,
	)
	if err := root.Execute(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
