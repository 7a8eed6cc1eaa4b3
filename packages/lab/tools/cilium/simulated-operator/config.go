package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/pflag"

	"github.com/cilium/cilium/pkg/defaults"
	ipamoption "github.com/cilium/cilium/pkg/ipam/option"
)

// config are those settings of Cilium's operator that this one follows, under their names, with their defaults. Keys of --config-dir that are not among
// them are for other programs, for what this one does not do, or decide which CRDs there are.
type config struct {
	ConfigDir string `mapstructure:"config-dir"`
	Debug     bool   `mapstructure:"debug"`
	Namespace string `mapstructure:"k8s-namespace"`
	Address   string `mapstructure:"operator-api-serve-addr"`
	Metrics   string `mapstructure:"operator-prometheus-serve-addr"`

	LeaseDuration time.Duration `mapstructure:"leader-election-lease-duration"`
	RenewDeadline time.Duration `mapstructure:"leader-election-renew-deadline"`
	RetryPeriod   time.Duration `mapstructure:"leader-election-retry-period"`

	IPAM string `mapstructure:"ipam"`
	// The allocator looks these two up by itself.
	EnableIPv4   bool     `mapstructure:"enable-ipv4"`
	EnableIPv6   bool     `mapstructure:"enable-ipv6"`
	IPv4Pool     []string `mapstructure:"cluster-pool-ipv4-cidr"`
	IPv4MaskSize int      `mapstructure:"cluster-pool-ipv4-mask-size"`
	IPv6Pool     []string `mapstructure:"cluster-pool-ipv6-cidr"`
	IPv6MaskSize int      `mapstructure:"cluster-pool-ipv6-mask-size"`

	// Only for its CRD: this operator makes no slices.
	EndpointSlices bool `mapstructure:"enable-cilium-endpoint-slice"`

	AgentLabels string `mapstructure:"cilium-pod-labels"`
	TaintKey    string `mapstructure:"agent-not-ready-taint-key"`
	RemoveTaint bool   `mapstructure:"remove-cilium-node-taints"`
	SetTaint    bool   `mapstructure:"set-cilium-node-taints"`
	SetUp       bool   `mapstructure:"set-cilium-is-up-condition"`

	EndpointInterval time.Duration `mapstructure:"cilium-endpoint-gc-interval"`
	NodeInterval     time.Duration `mapstructure:"nodes-gc-interval"`
}

var defaultConfig = config{
	Namespace:        "default",
	Address:          "localhost:9234",
	LeaseDuration:    15 * time.Second,
	RenewDeadline:    10 * time.Second,
	RetryPeriod:      2 * time.Second,
	IPAM:             ipamoption.IPAMClusterPool,
	EnableIPv4:       true,
	IPv4MaskSize:     24,
	IPv6MaskSize:     112,
	AgentLabels:      "k8s-app=cilium",
	TaintKey:         defaults.AgentNotReadyNodeTaint,
	RemoveTaint:      true,
	SetUp:            true,
	EndpointInterval: 5 * time.Minute,
	NodeInterval:     5 * time.Minute,
}

func (c config) Flags(flags *pflag.FlagSet) {
	flags.String("config-dir", c.ConfigDir, "Folder with a file for each setting")
	flags.BoolP("debug", "D", c.Debug, "Tell more in the log")
	flags.String("k8s-namespace", c.Namespace, "Namespace of Cilium's pods and of the Lease")
	flags.String("operator-api-serve-addr", c.Address, "Address of /healthz")
	flags.String("operator-prometheus-serve-addr", c.Metrics, "Ignored: there are no metrics")
	flags.Duration("leader-election-lease-duration", c.LeaseDuration, "How long a leader that is silent stays leader")
	flags.Duration("leader-election-renew-deadline", c.RenewDeadline, "How long a leader tries to renew the Lease before it gives up")
	flags.Duration("leader-election-retry-period", c.RetryPeriod, "Time between tries to take or renew the Lease")
	flags.String("ipam", c.IPAM, "Who addresses: only "+ipamoption.IPAMClusterPool)
	flags.Bool("enable-ipv4", c.EnableIPv4, "Whether nodes get a part of the IPv4 pool")
	flags.Bool("enable-ipv6", c.EnableIPv6, "Whether nodes get a part of the IPv6 pool")
	flags.StringSlice("cluster-pool-ipv4-cidr", c.IPv4Pool, "IPv4 blocks that the nodes' parts are taken from")
	flags.Int("cluster-pool-ipv4-mask-size", c.IPv4MaskSize, "Prefix length of a node's part")
	flags.StringSlice("cluster-pool-ipv6-cidr", c.IPv6Pool, "IPv6 blocks that the nodes' parts are taken from")
	flags.Int("cluster-pool-ipv6-mask-size", c.IPv6MaskSize, "Prefix length of a node's part")
	flags.Bool("enable-cilium-endpoint-slice", c.EndpointSlices, "Register the CRD of CiliumEndpointSlices: somebody else makes them")
	flags.String("cilium-pod-labels", c.AgentLabels, "Selects the agents' pods")
	flags.String("agent-not-ready-taint-key", c.TaintKey, "Taint of a node whose agent is not ready")
	flags.Bool("remove-cilium-node-taints", c.RemoveTaint, "Take the taint from a node whose agent is ready")
	flags.Bool("set-cilium-node-taints", c.SetTaint, "Taint a node that has an agent which is not ready")
	flags.Bool("set-cilium-is-up-condition", c.SetUp, "Set NetworkUnavailable to false on a node whose agent is ready")
	flags.Duration("cilium-endpoint-gc-interval", c.EndpointInterval, "Time between looks for CiliumEndpoints without a pod; 0: none")
	flags.Duration("nodes-gc-interval", c.NodeInterval, "Time between looks for CiliumNodes without a node; 0: none")
}

// check refuses what Cilium's operator could do and this one cannot, before an agent waits for it in vain.
func (c config) check() error {
	var problems []error
	if c.IPAM != ipamoption.IPAMClusterPool {
		problems = append(problems, fmt.Errorf("ipam is %q, but this stand-in knows %q only", c.IPAM, ipamoption.IPAMClusterPool))
	}
	for name, interval := range map[string]time.Duration{"cilium-endpoint-gc-interval": c.EndpointInterval, "nodes-gc-interval": c.NodeInterval} {
		if interval < 0 {
			problems = append(problems, fmt.Errorf("%s is %s: give 0 or more", name, interval))
		}
	}
	return errors.Join(problems...)
}
