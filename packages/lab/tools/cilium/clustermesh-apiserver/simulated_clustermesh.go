package main

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"

	"github.com/cilium/hive/cell"
	"github.com/spf13/cobra"

	"github.com/cilium/cilium/clustermesh-apiserver/common"
	"github.com/cilium/cilium/clustermesh-apiserver/health"
	"github.com/cilium/cilium/clustermesh-apiserver/syncstate"
	clustercfgcell "github.com/cilium/cilium/pkg/clustermesh/clustercfg/cell"
	mcsapitypes "github.com/cilium/cilium/pkg/clustermesh/mcsapi/types"
	cmnamespace "github.com/cilium/cilium/pkg/clustermesh/namespace"
	"github.com/cilium/cilium/pkg/defaults"
	"github.com/cilium/cilium/pkg/gops"
	"github.com/cilium/cilium/pkg/hive"
	k8sClient "github.com/cilium/cilium/pkg/k8s/client"
	"github.com/cilium/cilium/pkg/k8s/synced"
	"github.com/cilium/cilium/pkg/kvstore/heartbeat"
	"github.com/cilium/cilium/pkg/logging"
	"github.com/cilium/cilium/pkg/metrics"
	"github.com/cilium/cilium/pkg/option"
	"github.com/cilium/cilium/pkg/version"
)

// simulation is the stand-in for Cilium's subcommand. The connection to etcd and its leases, the cluster's config, the heartbeat, keys, encodings and markers are Cilium's
// own cells and types. Only the mapping from objects to entries is ours.
var simulation = cell.Module(
	"simulated-clustermesh",
	"Stand-in for the clustermesh of Cilium",

	gops.Cell(defaults.EnableGops, defaults.GopsPortApiserver),
	k8sClient.Cell,
	synced.Cell,
	cell.Provide(func() synced.CRDSyncResourceNamesOut {
		return synced.NewCRDSyncResourceNamesOut(synced.ClusterMeshAPIServerResourceNames()...)
	}),
	synced.CRDSyncCell,
	resources,

	heartbeat.Enabled,
	heartbeat.Cell,

	cell.Config(mcsapitypes.DefaultMCSAPIConfig),
	cell.Invoke(refuseMCSAPI),
	clustercfgcell.WithSyncedCanaries(true),
	clustercfgcell.Cell,

	cell.Config(usersConfig{Path: "/var/lib/cilium/etcd-config/users.yaml"}),
	cell.Invoke(refuseUsers),

	syncstate.Cell,
	cell.Provide(readiness),
	cmnamespace.Cell,
	cell.Invoke(exportAll),
)

func newSimulatedClustermesh() *cobra.Command {
	h := hive.New(common.Cell, simulation)
	command := &cobra.Command{
		Use:   "clustermesh",
		Short: "SIMULATED: write the cluster's objects from the API server into etcd, in place of Cilium's clustermesh",
		Long: "SIMULATED: a stand-in for Cilium's program, built on Cilium's own packages. It writes nodes, identities, endpoints, shared services and their " +
			"EndpointSlices from the API server into etcd, as Cilium's program does. It does not support the Multi-Cluster Services API or users of etcd.",
		Args:          cobra.NoArgs,
		SilenceUsage:  true,
		SilenceErrors: true,
		PreRun: func(*cobra.Command, []string) {
			metrics.Namespace = metrics.CiliumClusterMeshAPIServerNamespace
			option.Config.SetupLogging(h.Viper(), "clustermesh-apiserver")
			logging.DefaultSlogLogger.Info("SIMULATED clustermesh: a stand-in for Cilium's, on its packages", slog.String("version", version.Version))
			option.Config.Populate(logging.DefaultSlogLogger, h.Viper())
		},
		RunE: func(*cobra.Command, []string) error { return h.Run(logging.DefaultSlogLogger) },
	}
	h.RegisterFlags(command.Flags())
	return command
}

func refuseMCSAPI(config mcsapitypes.MCSAPIConfig) error {
	if config.EnableMCSAPI {
		return errors.New("clustermesh-enable-mcs-api is on, but this stand-in does not support the Multi-Cluster Services API: turn clustermesh.mcsapi.enabled off")
	}
	return nil
}

// readiness answers the chart's probe: ready once everything that existed at the start is in etcd.
func readiness(state syncstate.SyncState) []health.EndpointFunc {
	return []health.EndpointFunc{{
		Path: "/readyz",
		HandlerFunc: func(w http.ResponseWriter, _ *http.Request) {
			if !state.Complete() {
				http.Error(w, "NotReady", http.StatusInternalServerError)
				return
			}
			fmt.Fprint(w, "Ready")
		},
	}}
}
