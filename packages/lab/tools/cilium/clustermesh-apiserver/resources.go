package main

import (
	"cmp"
	"context"
	"slices"

	"github.com/cilium/hive/cell"
	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/util/workqueue"

	cmnamespace "github.com/cilium/cilium/pkg/clustermesh/namespace"
	"github.com/cilium/cilium/pkg/k8s"
	cilium_v2 "github.com/cilium/cilium/pkg/k8s/apis/cilium.io/v2"
	cilium_v2alpha1 "github.com/cilium/cilium/pkg/k8s/apis/cilium.io/v2alpha1"
	k8sClient "github.com/cilium/cilium/pkg/k8s/client"
	"github.com/cilium/cilium/pkg/k8s/resource"
	slim_corev1 "github.com/cilium/cilium/pkg/k8s/slim/k8s/api/core/v1"
	slim_discovery_v1 "github.com/cilium/cilium/pkg/k8s/slim/k8s/api/discovery/v1"
	"github.com/cilium/cilium/pkg/k8s/types"
	"github.com/cilium/cilium/pkg/k8s/utils"
)

// resources watch the API server. Watches of Cilium's objects wait for the CRDs, which the operator registers.
var resources = cell.Module(
	"resources",
	"Kubernetes objects that are written into etcd",

	cell.Config(k8s.DefaultConfig),
	cell.Provide(k8s.DefaultServiceWatchConfig),
	cell.Config(endpointConfig{}),
	cell.Provide(
		k8s.NamespaceResource,
		k8s.ServiceResource,
		k8s.CiliumNodeResource,
		k8s.CiliumIdentityResource,
		endpointSlices,
		ciliumEndpoints,
		ciliumEndpointSlices,
	),
)

type endpointConfig struct {
	Slices bool `mapstructure:"enable-cilium-endpoint-slice"`
}

func (config endpointConfig) Flags(flags *pflag.FlagSet) {
	flags.Bool("enable-cilium-endpoint-slice", config.Slices, "Read endpoints from CiliumEndpointSlices, not from CiliumEndpoints")
}

type watches struct {
	cell.In

	Config          endpointConfig
	NamespaceOf     cmnamespace.Manager
	Namespaces      resource.Resource[*slim_corev1.Namespace]
	Nodes           resource.Resource[*cilium_v2.CiliumNode]
	Identities      resource.Resource[*cilium_v2.CiliumIdentity]
	Endpoints       resource.Resource[*types.CiliumEndpoint]
	EndpointSlices  resource.Resource[*cilium_v2alpha1.CiliumEndpointSlice]
	Services        resource.Resource[*slim_corev1.Service]
	ServiceBackends resource.Resource[*slim_discovery_v1.EndpointSlice]
}

// objects are lists of all current objects, sorted by name: with a changing order, two objects that claim one address would take turns.
type objects struct {
	nodes          func() []*cilium_v2.CiliumNode
	identities     func() []*cilium_v2.CiliumIdentity
	endpoints      func() []*types.CiliumEndpoint
	endpointSlices func() []*cilium_v2alpha1.CiliumEndpointSlice
	services       func() []*slim_corev1.Service
	backends       func() []*slim_discovery_v1.EndpointSlice
	// global reports whether a namespace is shared with the mesh. A namespace that is not known yet is not.
	global func(namespace string) bool
}

// follow returns once all objects are listed, and signals every change from then on.
func (w watches) follow(ctx context.Context, changed chan<- struct{}) (*objects, error) {
	var failed error
	lists := &objects{
		nodes:      list(ctx, w.Nodes, changed, &failed),
		identities: list(ctx, w.Identities, changed, &failed),
		services:   list(ctx, w.Services, changed, &failed),
		backends:   list(ctx, w.ServiceBackends, changed, &failed),
		global: func(namespace string) bool {
			global, err := w.NamespaceOf.IsGlobalNamespaceByName(namespace)
			return err == nil && global
		},
		endpoints:      func() []*types.CiliumEndpoint { return nil },
		endpointSlices: func() []*cilium_v2alpha1.CiliumEndpointSlice { return nil },
	}
	if w.Config.Slices {
		lists.endpointSlices = list(ctx, w.EndpointSlices, changed, &failed)
	} else {
		lists.endpoints = list(ctx, w.Endpoints, changed, &failed)
	}
	list(ctx, w.Namespaces, changed, &failed)
	return lists, failed
}

func list[T runtime.Object](ctx context.Context, from resource.Resource[T], changed chan<- struct{}, failed *error) func() []T {
	go func() {
		for event := range from.Events(ctx) {
			event.Done(nil)
			// One pending signal is enough for any number of changes.
			select {
			case changed <- struct{}{}:
			default:
			}
		}
	}()
	known, err := from.Store(ctx)
	if err != nil {
		*failed = err
		return nil
	}
	return func() []T {
		return slices.SortedFunc(slices.Values(known.List()), func(a, b T) int {
			return cmp.Compare(resource.NewKey(a).String(), resource.NewKey(b).String())
		})
	}
}

// endpointSlices leaves out slices from other clusters: otherwise clusters would echo each other's.
func endpointSlices(
	lifecycle cell.Lifecycle, config k8s.ConfigParams, client k8sClient.Clientset, metrics workqueue.MetricsProvider,
) (resource.Resource[*slim_discovery_v1.EndpointSlice], error) {
	own, err := utils.GetEndpointSliceListOptionsModifier(config.Config.K8sServiceProxyName, config.WatchConfig.EnableHeadlessServiceWatch)
	if err != nil {
		return nil, err
	}
	watch := utils.ListerWatcherWithModifiers(utils.ListerWatcherFromTyped(client.Slim().DiscoveryV1().EndpointSlices("")), own)
	return resource.New[*slim_discovery_v1.EndpointSlice](lifecycle, watch, metrics), nil
}

func ciliumEndpoints(params k8s.CiliumResourceParams) resource.Resource[*types.CiliumEndpoint] {
	watch := utils.ListerWatcherFromTyped[*cilium_v2.CiliumEndpointList](params.ClientSet.CiliumV2().CiliumEndpoints(""))
	return resource.New[*types.CiliumEndpoint](params.Lifecycle, watch, params.MetricsProvider,
		resource.WithLazyTransform(func() runtime.Object { return &cilium_v2.CiliumEndpoint{} }, k8s.TransformToCiliumEndpoint),
		resource.WithCRDSync(params.CRDSyncPromise),
	)
}

func ciliumEndpointSlices(params k8s.CiliumResourceParams) resource.Resource[*cilium_v2alpha1.CiliumEndpointSlice] {
	watch := utils.ListerWatcherFromTyped[*cilium_v2alpha1.CiliumEndpointSliceList](params.ClientSet.CiliumV2alpha1().CiliumEndpointSlices())
	return resource.New[*cilium_v2alpha1.CiliumEndpointSlice](params.Lifecycle, watch, params.MetricsProvider, resource.WithCRDSync(params.CRDSyncPromise))
}
