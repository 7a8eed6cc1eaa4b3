package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/pflag"

	"github.com/cilium/cilium/pkg/defaults"
	ipamoption "github.com/cilium/cilium/pkg/ipam/option"
)

// config has the settings of Cilium's operator that this stand-in supports, with their names and defaults. Other keys of --config-dir belong to other programs or to
// features that this stand-in lacks, or decide which CRDs are registered.
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
	// The allocator reads these two by itself.
	EnableIPv4   bool     `mapstructure:"enable-ipv4"`
	EnableIPv6   bool     `mapstructure:"enable-ipv6"`
	IPv4Pool     []string `mapstructure:"cluster-pool-ipv4-cidr"`
	IPv4MaskSize int      `mapstructure:"cluster-pool-ipv4-mask-size"`
	IPv6Pool     []string `mapstructure:"cluster-pool-ipv6-cidr"`
	IPv6MaskSize int      `mapstructure:"cluster-pool-ipv6-mask-size"`

	// Only for its CRD: this operator creates no slices.
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
	flags.String("config-dir", c.ConfigDir, "Folder with one file per setting")
	flags.BoolP("debug", "D", c.Debug, "Log debug messages")
	flags.String("k8s-namespace", c.Namespace, "Namespace of Cilium's pods and of the Lease")
	flags.String("operator-api-serve-addr", c.Address, "Address of /healthz")
	flags.String("operator-prometheus-serve-addr", c.Metrics, "Ignored: there are no metrics")
	flags.Duration("leader-election-lease-duration", c.LeaseDuration, "How long a leader that does not renew the Lease stays leader")
	flags.Duration("leader-election-renew-deadline", c.RenewDeadline, "How long a leader retries to renew the Lease before it gives up")
	flags.Duration("leader-election-retry-period", c.RetryPeriod, "Time between attempts to acquire or renew the Lease")
	flags.String("ipam", c.IPAM, "IPAM mode: only "+ipamoption.IPAMClusterPool)
	flags.Bool("enable-ipv4", c.EnableIPv4, "Give nodes a part of the IPv4 pool")
	flags.Bool("enable-ipv6", c.EnableIPv6, "Give nodes a part of the IPv6 pool")
	flags.StringSlice("cluster-pool-ipv4-cidr", c.IPv4Pool, "IPv4 CIDRs of the pool")
	flags.Int("cluster-pool-ipv4-mask-size", c.IPv4MaskSize, "Prefix length of a node's IPv4 CIDR")
	flags.StringSlice("cluster-pool-ipv6-cidr", c.IPv6Pool, "IPv6 CIDRs of the pool")
	flags.Int("cluster-pool-ipv6-mask-size", c.IPv6MaskSize, "Prefix length of a node's IPv6 CIDR")
	flags.Bool("enable-cilium-endpoint-slice", c.EndpointSlices, "Register the CRD of CiliumEndpointSlices, which this stand-in does not create")
	flags.String("cilium-pod-labels", c.AgentLabels, "Label selector of the agents' pods")
	flags.String("agent-not-ready-taint-key", c.TaintKey, "Key of the taint of a node whose agent is not ready")
	flags.Bool("remove-cilium-node-taints", c.RemoveTaint, "Remove the taint from a node whose agent is ready")
	flags.Bool("set-cilium-node-taints", c.SetTaint, "Taint a node whose agent is not ready")
	flags.Bool("set-cilium-is-up-condition", c.SetUp, "Set NetworkUnavailable to false on a node whose agent is ready")
	flags.Duration("cilium-endpoint-gc-interval", c.EndpointInterval, "Time between removals of CiliumEndpoints without a pod; 0: never")
	flags.Duration("nodes-gc-interval", c.NodeInterval, "Time between removals of CiliumNodes without a node; 0: never")
}

// check rejects what Cilium's operator supports and this one does not. Otherwise an agent would wait for it forever.
func (c config) check() error {
	var problems []error
	if c.IPAM != ipamoption.IPAMClusterPool {
		problems = append(problems, fmt.Errorf("ipam must be %[2]q, the only mode of this stand-in; got %[1]q", c.IPAM, ipamoption.IPAMClusterPool))
	}
	for name, interval := range map[string]time.Duration{"cilium-endpoint-gc-interval": c.EndpointInterval, "nodes-gc-interval": c.NodeInterval} {
		if interval < 0 {
			problems = append(problems, fmt.Errorf("%s must not be negative; got %s", name, interval))
		}
	}
	return errors.Join(problems...)
}
