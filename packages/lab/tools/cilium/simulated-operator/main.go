// A stand-in for Cilium's operator on Cilium's own packages. It does what the lab's agents need.
package main

import (
	"fmt"
	"log/slog"
	"os"

	"github.com/cilium/hive/cell"
	"github.com/cilium/hive/shell"
	"github.com/spf13/cobra"

	"github.com/cilium/cilium/operator/pkg/client"
	"github.com/cilium/cilium/pkg/defaults"
	"github.com/cilium/cilium/pkg/gops"
	"github.com/cilium/cilium/pkg/hive"
	k8sClient "github.com/cilium/cilium/pkg/k8s/client"
	"github.com/cilium/cilium/pkg/logging"
	"github.com/cilium/cilium/pkg/option"
	"github.com/cilium/cilium/pkg/version"
)

var operator = cell.Module(
	"simulated-operator",
	"Stand-in for the operator of Cilium",

	gops.Cell(defaults.EnableGops, defaults.GopsPortOperator),
	shell.ServerCell(defaults.ShellSockPath),
	client.Cell,
	cell.ProvidePrivate(func() k8sClient.ClientParams { return k8sClient.ClientParams{K8sClientQPS: 100, K8sClientBurst: 200} }),
	cell.Config(defaultConfig),
	cell.Invoke(serveHealth),
	cell.Invoke(takePart),
)

func main() {
	h := hive.New(operator)
	// Settings that decide which CRDs agents wait for, and that are on by default.
	for _, name := range []string{option.EnableCiliumNetworkPolicy, option.EnableCiliumClusterwideNetworkPolicy, option.EnableCiliumNodeCRDName} {
		h.Viper().SetDefault(name, true)
	}
	command := &cobra.Command{
		Use:   "simulated-operator",
		Short: "SIMULATED: a stand-in for Cilium's operator",
		Long: "SIMULATED: a stand-in for Cilium's operator, built on Cilium's own packages. One of its replicas leads. The leader registers the CRDs, gives nodes " +
			"their CIDRs from the cluster's pool, removes the taint from nodes whose agent is ready, and removes CiliumEndpoints and CiliumNodes whose pods " +
			"and nodes are gone. It does nothing else: it keeps identities, puts no endpoints into slices, and does not support load balancers, BGP, ingress, " +
			"Gateway API, the Multi-Cluster Services API and metrics.",
		Args:          cobra.NoArgs,
		SilenceUsage:  true,
		SilenceErrors: true,
		PreRun: func(*cobra.Command, []string) {
			option.Config.SetupLogging(h.Viper(), "simulated-operator")
			logging.DefaultSlogLogger.Info("SIMULATED operator: a stand-in for Cilium's, on its packages", slog.String("version", version.Version))
			option.Config.Populate(logging.DefaultSlogLogger, h.Viper())
			option.Config.PopulateEnableCiliumNodeCRD(logging.DefaultSlogLogger, h.Viper())
		},
		RunE: func(*cobra.Command, []string) error { return h.Run(logging.DefaultSlogLogger) },
	}
	h.RegisterFlags(command.Flags())
	cobra.OnInitialize(option.InitConfig(logging.DefaultSlogLogger, command, "simulated-operator", "cilium-operators", h.Viper()))
	if err := command.Execute(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
